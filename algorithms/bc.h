// Behaviour cloning: the policy imitates the actions of the data, all or the best trajectories'
// (%BC). docs/algorithms/bc.md.
#pragma once

#include <optional>

#include "algorithms/algorithm.h"

namespace drydock::algorithms {

// The defaults are those of the preset `corl`.
struct BcSettings {
    CommonSettings common;
    // There is one network, so either name will do; the actor's goes before the general one.
    std::optional<double> learning_rate = 3e-4, actor_learning_rate;
    std::string learning_rate_schedule = "constant", actor_learning_rate_schedule = "null";
    AdamSettings adam;
    double actor_dropout = 0.0;                         // after each hidden activation
    std::int64_t hidden_layers = 2, hidden_size = 256;  // where layer_sizes does not say
    NetworkSettings networks;                           // actor
};

// Adds the group `actor` to `state`; layer_sizes must hold the actor, and one learning rate a
// value. The settings are copied.
std::unique_ptr<Algorithm> make_bc(State& state, const BcSettings& settings);

// Its settings by name and its presets (bc_settings.cpp).
std::unique_ptr<Recipe> make_bc_recipe();

}  // namespace drydock::algorithms
