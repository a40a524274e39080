// Two action values of the same shape, which disagree where the data say little.
#pragma once

#include <string>

#include "nn/mlp.h"

namespace drydock::nn {

struct TwinCritic {
    // Adds the networks "q1SUFFIX" and "q2SUFFIX".
    TwinCritic(ParameterGroup& group, const std::string& suffix, const MlpSpec& first,
               const MlpSpec& second)
        : q1(group, "q1" + suffix, first), q2(group, "q2" + suffix, second) {}

    // The smaller of both values of (observation, action) pairs: (N, S + A) -> (N). Clipped double
    // Q-learning, Fujimoto et al. 2018.
    Tensor smaller(Tensor pairs) const { return minimum(q1(pairs), q2(pairs)); }

    ScalarMlp q1, q2;
};

}  // namespace drydock::nn
