// The two ends of every kind of policy: from an observation to the network, and from the network to
// an action.
#pragma once

#include "policy/dense.h"

namespace drydock::policy {

DRYDOCK_INLINE drydock_act_status normalise(const drydock_policy& p, const float* observation,
                                            float* x) {
    bool clipped = false;
    for (std::uint32_t i = 0; i < p.observation_size; ++i) {
        const float value = (observation[i] - p.mean[i]) / p.deviation[i];
        const float bounded = value < -p.clip ? -p.clip : value > p.clip ? p.clip : value;
        clipped |= bounded < value || bounded > value;
        x[i] = bounded;
    }
    return clipped ? DRYDOCK_ACT_INPUT_OUT_OF_RANGE : DRYDOCK_ACT_OK;
}

template <class Fma>
DRYDOCK_INLINE drydock_act_status scale_and_bound(const drydock_policy& p, const float* y,
                                                  float* action) {
    bool finite = true, clamped = false;
    for (std::uint32_t i = 0; i < p.action_size; ++i) {
        const float value = Fma::fma(p.scale[i], y[i], p.bias[i]);
        const float bounded = value < p.low[i] ? p.low[i] : value > p.high[i] ? p.high[i] : value;
        finite &= is_finite(value);
        clamped |= bounded < value || bounded > value;
        action[i] = bounded;
    }
    if (!finite) {
        return DRYDOCK_ACT_OUTPUT_NOT_FINITE;
    }
    return clamped ? DRYDOCK_ACT_OUTPUT_CLAMPED : DRYDOCK_ACT_OK;
}

// The number of the largest of n values, of equal ones the lowest.
DRYDOCK_INLINE drydock_act_status choose_largest(const float* y, std::uint32_t n, float* action) {
    bool finite = true;
    std::uint32_t best = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
        finite &= is_finite(y[i]);
        best = y[i] > y[best] ? i : best;
    }
    action[0] = static_cast<float>(best);
    return finite ? DRYDOCK_ACT_OK : DRYDOCK_ACT_OUTPUT_NOT_FINITE;
}

}  // namespace drydock::policy
