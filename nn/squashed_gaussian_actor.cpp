#include "nn/squashed_gaussian_actor.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace drydock::nn {
namespace {

constexpr double kAtanhMargin = 1e-6;
constexpr double kTanhEpsilon = 1e-6;

}  // namespace

SquashedGaussianActor::SquashedGaussianActor(ParameterGroup& group, ParameterGroup& scale,
                                             const std::string& name,
                                             const SquashedGaussianSpec& spec)
    : spec_(spec),
      scale_(&scale),
      mlp_(group, name, spec.mlp),
      multiplier_(scale.add(
          {name + ".log_std_multiplier", {}, Initializer::ones, spec.log_std_multiplier})),
      offset_(scale.add({name + ".log_std_offset", {}, Initializer::ones, spec.log_std_offset})) {
    if (mlp_.output_size() % 2 != 0) {
        throw Error(fmt::format("[{}] expected layer_sizes to end in twice the actions, got {}",
                                name, mlp_.output_size()),
                    ErrorKind::usage);
    }
}

SquashedGaussianActor::Head SquashedGaussianActor::head(Tensor observations) const {
    Graph& graph = observations.graph();
    const Tensor out = mlp_(observations);
    const std::int64_t size = mlp_.output_size() / 2;
    const Tensor log_std = graph.parameter(*scale_, multiplier_) * slice(out, 1, size, 2 * size) +
                           graph.parameter(*scale_, offset_);
    return {slice(out, 1, 0, size), clamp(log_std, spec_.log_std_min, spec_.log_std_max)};
}

Tensor SquashedGaussianActor::density(Tensor z, Tensor log_std, Tensor u, Tensor actions) const {
    const Tensor normal = -0.5 * square(z) - log_std - 0.5 * std::log(2.0 * std::numbers::pi);
    const Tensor squash = spec_.density == TanhLogDensity::exact
                              ? log_tanh_derivative(u)
                              : log((1.0 + kTanhEpsilon) - square(actions));
    return sum(normal - squash, u.shape().rank() - 1);
}

SquashedGaussianActor::Sample SquashedGaussianActor::sample(const Head& head, Tensor noise) const {
    Tensor mean = head.mean, log_std = head.log_std;
    if (noise.shape().rank() == 3) {
        const Shape once{mean.shape()[0], 1, mean.shape()[1]};
        mean = reshape(mean, once);
        log_std = reshape(log_std, once);
    }
    const Tensor u = mean + exp(log_std) * noise;
    const Tensor actions = tanh(u);
    return {actions, density(noise, log_std, u, actions)};
}

Tensor SquashedGaussianActor::log_prob(const Head& head, Tensor actions) const {
    const double limit = spec_.scored_mean_limit;
    const Tensor mean = std::isinf(limit) ? head.mean : clamp(head.mean, -limit, limit);
    const Tensor u = atanh(actions, kAtanhMargin);
    return density((u - mean) / exp(head.log_std), head.log_std, u, actions);
}

Tensor SquashedGaussianActor::mean_action(Tensor observations) const {
    return tanh(head(observations).mean);
}

}  // namespace drydock::nn
