// TD3+BC: Fujimoto and Gu, "A Minimalist Approach to Offline Reinforcement Learning", NeurIPS 2021.
// docs/algorithms/td3bc.md goes equation by equation.
#pragma once

#include <optional>

#include "algorithms/algorithm.h"

namespace drydock::algorithms {

// The defaults are those of the preset `corl`, which the authors' code agrees with.
struct Td3BcSettings {
    CommonSettings common;
    double discount = 0.99;
    double alpha = 2.5;              // weight of Q against imitation (eq. 5)
    double policy_noise = 0.2;       // deviation of the target policy's noise, in max_action
    double noise_clip = 0.5;         // largest size of that noise, in max_action
    std::int64_t policy_period = 2;  // updates from one actor step to the next; targets follow then
    double polyak = 0.005;
    // Adam's rate of both kinds of network, unless one has a rate of its own.
    std::optional<double> learning_rate = 3e-4, q_learning_rate, actor_learning_rate;
    std::string learning_rate_schedule = "constant", actor_learning_rate_schedule = "null";
    AdamSettings adam;
    NetworkSettings networks;  // q1, q2, actor
};

// Adds the groups `critics`, `critic_targets`, `actor` and `actor_target` to `state`; layer_sizes
// must hold all three networks, and each network have a learning rate. The settings are copied.
std::unique_ptr<Algorithm> make_td3bc(State& state, const Td3BcSettings& settings);

// Its settings by name and its presets (td3bc_settings.cpp).
std::unique_ptr<Recipe> make_td3bc_recipe();

}  // namespace drydock::algorithms
