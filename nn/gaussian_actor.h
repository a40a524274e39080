// A Gaussian policy with a bounded mean and a deviation that does not depend on the observation.
#pragma once

#include "nn/mlp.h"

namespace drydock::nn {

// mean = tanh(mlp(observation)), log-deviation = a parameter per action dimension, clamped. The
// distribution itself is not squashed (Kostrikov et al. 2022, appendix B).
class GaussianActor {
  public:
    // Adds the Mlp's parameters and "NAME.log_std" (A), which starts at 0.
    GaussianActor(ParameterGroup& group, const std::string& name, MlpSpec spec, double log_std_min,
                  double log_std_max);

    // (N, S) -> (N, A), in [-1, 1]
    Tensor mean(Tensor observations) const { return mlp_(observations); }
    // mean + std * noise for standard normal noise (N, A): (N, A), not bounded.
    Tensor sample(Tensor observations, Tensor noise) const;
    // Log-density of actions (N, A), summed over A: (N). For training: with the mlp's dropout.
    Tensor log_prob(Tensor observations, Tensor actions) const;

  private:
    ParameterGroup* group_;
    Mlp mlp_;
    double log_std_min_, log_std_max_;
    int log_std_;
};

}  // namespace drydock::nn
