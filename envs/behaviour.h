// Behaviour policies for collecting data: per environment, several qualities and mixtures of them.
// Randomness is counter-based, so that a data set is a pure function of its seed and does not
// depend on the order in which episodes are collected.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "envs/environment.h"

namespace drydock::envs {

class Behaviour {
  public:
    virtual ~Behaviour() = default;

    // Writes the action (action_size) for `observation` in step `step` (from 0) of `episode`. Keeps
    // no state: threads may share an object. Draws are elements of the streams "behaviour_action",
    // "behaviour_explore", "behaviour_noise" and "behaviour_choice" at step `episode`, see
    // base/philox.h. Throws drydock::Error for wrong sizes.
    virtual void act(std::span<const float> observation, std::uint64_t seed, std::uint64_t episode,
                     std::uint64_t step, std::span<float> action) const = 0;
};

struct BehaviourInfo {
    std::string name;
    std::string description;
    // Mean return over episodes 0 to 999 of seed 0, where it was measured.
    std::optional<double> mean_return;
};

// Behaviours of an environment, the weakest first, mixtures last. Every environment has `random`.
std::vector<BehaviourInfo> list_behaviours(const EnvironmentInfo& environment);

// The behaviour of that name. `episodes` is how many are to be collected; only a behaviour whose
// quality grows over the collection reads it. Throws drydock::Error (usage) that lists the names.
std::unique_ptr<Behaviour> make_behaviour(const EnvironmentInfo& environment,
                                          const std::string& name, std::uint64_t episodes);

}  // namespace drydock::envs
