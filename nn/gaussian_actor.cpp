#include "nn/gaussian_actor.h"

namespace drydock::nn {
namespace {

MlpSpec with_tanh(MlpSpec spec) {
    spec.output = Activation::tanh;
    return spec;
}

}  // namespace

GaussianActor::GaussianActor(ParameterGroup& group, const std::string& name, MlpSpec spec,
                             double log_std_min, double log_std_max)
    : group_(&group),
      mlp_(group, name, with_tanh(std::move(spec))),
      log_std_min_(log_std_min),
      log_std_max_(log_std_max),
      log_std_(group.add({name + ".log_std", {mlp_.output_size()}, Initializer::zeros})) {}

Tensor GaussianActor::sample(Tensor observations, Tensor noise) const {
    const Tensor log_std = observations.graph().parameter(*group_, log_std_);
    return mean(observations) + exp(clamp(log_std, log_std_min_, log_std_max_)) * noise;
}

Tensor GaussianActor::log_prob(Tensor observations, Tensor actions) const {
    const Tensor log_std = observations.graph().parameter(*group_, log_std_);
    return gaussian_log_prob(mlp_.train(observations), clamp(log_std, log_std_min_, log_std_max_),
                             actions);
}

}  // namespace drydock::nn
