// Makes data sets: a behaviour policy acts in an environment, its steps are recorded.
#pragma once

#include <cstdint>
#include <string>

#include "data/dataset.h"

namespace drydock::training {

struct CollectOptions {
    std::string environment;
    std::string behaviour = "mixed";  // see envs::list_behaviours
    // One of the two is above 0. `steps` ends the file after that many rows, in the middle of an
    // episode if need be.
    std::int64_t episodes = 0;
    std::int64_t steps = 0;
    std::uint64_t seed = 0;
    int threads = 0;  // 0: all cores; the data do not depend on it
};

// Episode i of seed s starts from the stream (s, i). The data set has next observations, terminals,
// timeouts and the attributes env, behaviour and seed; data::write_d4rl writes it. Throws Error
// (usage) for unknown names and when not exactly one of episodes and steps is above 0.
data::Dataset collect(const CollectOptions& options);

}  // namespace drydock::training
