// Implicit Q-Learning: Kostrikov, Nair, Levine, "Offline Reinforcement Learning with Implicit
// Q-Learning", ICLR 2022. docs/algorithms/iql.md goes equation by equation.
#pragma once

#include "algorithms/algorithm.h"

namespace drydock::algorithms {

// The defaults are those of the preset `corl`.
struct IqlSettings {
    CommonSettings common;
    double discount = 0.99;
    double expectile = 0.7;          // eq. 5
    double temperature = 3.0;        // beta of eq. 7
    double exp_advantage_max = 100;  // cap of eq. 7's weight
    // Which networks a loss reads, where implementations differ.
    bool target_critics = true;                     // false: the critics themselves judge
    std::string value_for_targets = "before_step";  // or after_step: V(s') of eq. 6
    std::string advantage_from = "before_steps";    // or after_value_step, after_all_steps: eq. 7
    std::string critic_loss = "average";            // or sum: of the two squared errors
    double polyak = 0.005;                  // share of the critics that enters their targets
    std::int64_t target_update_period = 1;  // updates from one averaging to the next
    double v_learning_rate = 3e-4;
    double q_learning_rate = 3e-4;
    double actor_learning_rate = 3e-4;
    std::string learning_rate_schedule = "constant";  // of the value network and the critics
    std::string actor_learning_rate_schedule = "cosine";
    AdamSettings adam;
    double log_std_min = -20.0, log_std_max = 2.0;
    bool deterministic_policy = false;  // squared error instead of log-likelihood
    double actor_dropout = 0.0;         // after each hidden activation of the actor
    // Of a deterministic policy that is fine-tuned: deviation of its normal noise, and its bound.
    double exploration_noise = 0.03, exploration_noise_clip = 0.5;
    OnlineSettings online;
    NetworkSettings networks;  // q1, q2, v, actor
};

// Adds the groups `value`, `critics`, `critic_targets` (only with target_critics) and `actor` to
// `state`; layer_sizes must hold all four networks. The settings are copied.
std::unique_ptr<Algorithm> make_iql(State& state, const IqlSettings& settings);

// Its settings by name and its presets (iql_settings.cpp).
std::unique_ptr<Recipe> make_iql_recipe();

}  // namespace drydock::algorithms
