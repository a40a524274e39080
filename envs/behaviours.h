// What an environment's file of behaviours is made of. Internal to envs/.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "envs/behaviour.h"

namespace drydock::envs {

struct BehaviourEntry {
    BehaviourInfo info;
    std::function<std::unique_ptr<Behaviour>(std::uint64_t episodes)> make;
};

// Uniform actions within the bounds, or among those there are.
std::unique_ptr<Behaviour> make_random_behaviour(const EnvironmentInfo& environment);

// One of `parts`, drawn anew for each episode with equal chances.
std::unique_ptr<Behaviour> make_mixture(std::vector<std::unique_ptr<Behaviour>> parts);

// envs/cartpole_behaviours.cpp
std::vector<BehaviourEntry> cartpole_behaviours(const EnvironmentInfo& environment);

// envs/pendulum_behaviours.cpp
std::vector<BehaviourEntry> pendulum_behaviours(const EnvironmentInfo& environment);

}  // namespace drydock::envs
