// A Gaussian policy that is squashed by tanh, as soft actor-critic has it.
#pragma once

#include "nn/mlp.h"

namespace drydock::nn {

// How log(1 - tanh(u)^2), by which squashing changes a log-density, is computed.
enum class TanhLogDensity : std::uint8_t {
    exact,    // 2 (log 2 - u - softplus(-2 u)): right for every u
    epsilon,  // log(1 - tanh(u)^2 + 1e-6), as the authors of SAC and CQL have it
};

struct SquashedGaussianSpec {
    MlpSpec mlp;  // ends in 2 A outputs: means, then log-deviations
    double log_std_min = -20.0, log_std_max = 2.0;
    // log-deviation = clamp(multiplier * output + offset, min, max); first values of the two.
    double log_std_multiplier = 1.0, log_std_offset = 0.0;
    TanhLogDensity density = TanhLogDensity::exact;
    // log_prob() alone: bounds of the mean. Infinite: none.
    double scored_mean_limit = std::numeric_limits<double>::infinity();
};

// a = tanh(u), u ~ N(mean(s), std(s)) (Haarnoja et al. 2018, appendix C).
class SquashedGaussianActor {
  public:
    // What the network says of a state: both (N, A).
    struct Head {
        Tensor mean, log_std;
    };
    struct Sample {
        Tensor actions;   // of the noise's shape, in (-1, 1)
        Tensor log_prob;  // the noise's shape without its last dimension
    };

    // Adds the Mlp's parameters to `group`, and "NAME.log_std_multiplier" and
    // "NAME.log_std_offset", scalars, to `scale`: the same group where they are to be learned.
    // Throws Error unless the mlp has an even number of outputs.
    SquashedGaussianActor(ParameterGroup& group, ParameterGroup& scale, const std::string& name,
                          const SquashedGaussianSpec& spec);

    // (N, S) -> the distribution's parameters.
    Head head(Tensor observations) const;
    // tanh(mean + std * noise) for standard normal noise (N, A), or (N, n, A) for n samples of each
    // state's one distribution.
    Sample sample(const Head& head, Tensor noise) const;
    // Log-density (N) of given actions (N, A) in [-1, 1]. u = atanh(a) is taken where 1 - |a| is at
    // least 1e-6, as the authors of CQL do: the density of an action at a bound would be infinite.
    Tensor log_prob(const Head& head, Tensor actions) const;
    // The action that evaluation takes, tanh(mean): (N, S) -> (N, A).
    Tensor mean_action(Tensor observations) const;

  private:
    // log-density of a normal with log-deviation log_std, z deviations from its mean at u, and of
    // its tanh: summed over the last dimension.
    Tensor density(Tensor z, Tensor log_std, Tensor u, Tensor actions) const;

    SquashedGaussianSpec spec_;
    ParameterGroup* scale_;
    Mlp mlp_;
    int multiplier_, offset_;
};

}  // namespace drydock::nn
