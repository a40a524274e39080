// Conservative Q-Learning where an action is a choice among a few: Kumar, Zhou, Tucker, Levine,
// "Conservative Q-Learning for Offline Reinforcement Learning", NeurIPS 2020, on top of DQN with a
// mean or a quantile head. docs/algorithms/discrete_cql.md goes equation by equation.
#pragma once

#include "algorithms/algorithm.h"

namespace drydock::algorithms {

// The defaults are those of the preset `vector`.
struct DiscreteCqlSettings {
    CommonSettings common;
    double discount = 0.99;
    double cql_alpha = 0.5;     // weight of the conservative term
    std::string head = "mean";  // or quantile: QR-DQN
    std::int64_t quantiles = 200;
    bool double_dqn = true;          // false: the target network chooses the action that it values
    std::string td_error = "huber";  // or squared; a quantile head knows huber alone
    double huber_threshold = 1.0;
    double polyak = 1.0;  // share of the critic that enters its target; 1 copies
    std::int64_t target_update_period = 100;  // updates from one to the next
    double learning_rate = 1e-3;
    std::string learning_rate_schedule = "constant";
    AdamSettings adam;
    NetworkSettings networks;  // q
};

// Adds the groups `critic` and `critic_target` to `state`; layer_sizes must hold q. The settings
// are copied.
std::unique_ptr<Algorithm> make_discrete_cql(State& state, const DiscreteCqlSettings& settings);

// Its settings by name and its presets (discrete_cql_settings.cpp).
std::unique_ptr<Recipe> make_discrete_cql_recipe();

}  // namespace drydock::algorithms
