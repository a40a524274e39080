// Data that look like a task's and mean nothing: for measuring, where only sizes matter.
#pragma once

#include <cstdint>

#include "algorithms/algorithm.h"
#include "data/transitions.h"

namespace drydock::measure {

struct SyntheticSizes {
    std::int64_t observations = 11, actions = 3;  // hopper's
    std::int64_t transitions = 100'000;
    std::int64_t episode = 1000;  // steps
};

// Observations normal, actions even in [-1, 1] (choices: numbers below action_count), rewards near
// 1, a terminal in a thousand, drawn from `seed`. Where the recipe reads windows, episodes with
// returns-to-go instead. Throws Error (usage) for sizes below 1.
data::Transitions synthetic_transitions(const SyntheticSizes& sizes, algorithms::Recipe& recipe,
                                        std::uint64_t seed);

}  // namespace drydock::measure
