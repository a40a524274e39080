// Conservative Q-Learning with continuous actions: Kumar, Zhou, Tucker, Levine, "Conservative
// Q-Learning for Offline Reinforcement Learning", NeurIPS 2020, on top of soft actor-critic.
// docs/algorithms/cql.md goes equation by equation.
#pragma once

#include <optional>

#include "algorithms/algorithm.h"

namespace drydock::algorithms {

// The defaults are those of the preset `corl`.
struct CqlSettings {
    CommonSettings common;
    double discount = 0.99;
    double polyak = 0.005;                  // share of the critics that enters their targets
    std::int64_t target_update_period = 1;  // updates from one averaging to the next
    std::int64_t critics = 2;               // or 1

    // The conservative term, w * (softmax of Q over actions that are not the data's - Q of these).
    std::string conservative_term = "logsumexp";  // or mean_difference: at uniform actions
    std::int64_t n_actions = 10;                  // per source of actions
    double cql_alpha = 10.0;                      // w
    double cql_temperature = 1.0;
    bool importance_sample = true;  // false: no densities, and Q of the data is in the set
    double clip_difference_min = -std::numeric_limits<double>::infinity();
    double clip_difference_max = std::numeric_limits<double>::infinity();
    bool lagrange = false;  // a learned factor holds the term at target_action_gap
    double target_action_gap = -1.0;
    bool weighted_action_gap = true;  // w * (gap - target); false: w * gap - target

    // The critics' targets.
    std::string target_actions = "policy";  // or uniform: the best of n_actions uniform ones
    bool max_target_backup = false;         // the best of n_actions of the policy's
    std::string max_target_order = "min_then_max";  // or max_then_min, over actions and critics
    bool backup_entropy = false;

    // The policy.
    std::string policy = "actor";  // or best_of_n: no actor, the best of uniform actions
    std::int64_t policy_samples = 100;
    bool automatic_entropy_tuning = true;
    std::optional<double> target_entropy;  // none: -A
    double alpha_multiplier = 1.0;
    std::string alpha_for_actor = "before_step";    // or after_step
    std::string critics_for_actor = "before_step";  // or after_step
    std::int64_t bc_steps = 0;  // first updates in which the policy imitates the data
    double log_alpha_init = 0.0, log_alpha_prime_init = 1.0;
    double log_std_min = -20.0, log_std_max = 2.0;
    double log_std_multiplier_init = 1.0, log_std_offset_init = -1.0;
    bool log_std_scale_learned = true;
    std::string tanh_log_density = "exact";                              // or epsilon
    double scored_mean_limit = std::numeric_limits<double>::infinity();  // of bc_steps' densities

    double q_learning_rate = 3e-4, actor_learning_rate = 3e-5;
    double alpha_learning_rate = 3e-5, alpha_prime_learning_rate = 3e-4;
    std::string learning_rate_schedule = "constant", actor_learning_rate_schedule = "constant";
    AdamSettings adam;
    OnlineSettings online;
    std::string initializer = "corl";  // or rlkit, pytorch_default
    // Hidden layers of 256 where layer_sizes says nothing.
    std::int64_t q1_hidden_layers = 3, q2_hidden_layers = 3, actor_hidden_layers = 3;
    NetworkSettings networks;      // q1, q2, actor
    std::int64_t action_size = 0;  // no setting: of the data
};

// What to build the network `name` from, with the first values that `initializer` stands for.
nn::MlpSpec network_spec(const CqlSettings& settings, const std::string& name);

// Adds the groups `critics`, `critic_targets`, `actor`, `temperature` and `multiplier`, of which
// the last three only with a policy of its own, to `state`; layer_sizes must hold all networks. The
// settings are copied.
std::unique_ptr<Algorithm> make_cql(State& state, const CqlSettings& settings);

// What to try when that metric of CQL's is not finite (cql_settings.cpp).
std::string cql_advice(const std::string& metric);

// Throws Error (usage) for settings that do not go together, and for those that differ from their
// first values but would play no part (cql_checks.cpp).
void check_cql(const CqlSettings& settings, const Settings& by_name);

// Its settings by name and its presets (cql_settings.cpp).
std::unique_ptr<Recipe> make_cql_recipe();

}  // namespace drydock::algorithms
