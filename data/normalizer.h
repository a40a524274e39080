// Observation normaliser: x = (o - mean) / std, per dimension.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/transitions.h"

namespace drydock::data {

struct Normalizer {
    std::vector<float> mean;  // (observation_size)
    std::vector<float> std;   // (observation_size), epsilon included

    // Leaves observations as they are: mean 0, std 1.
    static Normalizer identity(std::int64_t observation_size);
    bool is_identity() const;

    // Normalises rows of observation_size numbers in place, in float32 as CORL does. Throws
    // drydock::Error when the length is not a multiple of the size.
    void apply(std::span<float> observations) const;
    // Observations and next observations of `transitions`.
    void apply(Transitions& transitions) const;
};

// CORL adds 1e-3 to the deviation (IQL, TD3+BC, CQL, BC) and 1e-6 in its Decision Transformer.
constexpr double kCorlStdEpsilon = 1e-3;

// Mean and population standard deviation (divisor N) + epsilon of `observations`, rows of
// `observation_size` numbers, accumulated in double in the order of the rows, so the result depends
// on the data alone. Throws drydock::Error when there are no rows, or when a dimension is constant
// and epsilon is 0.
Normalizer fit_normalizer(std::span<const float> observations, std::int64_t observation_size,
                          double epsilon = kCorlStdEpsilon);
Normalizer fit_normalizer(const Transitions& transitions, double epsilon = kCorlStdEpsilon);

}  // namespace drydock::data
