// Decision Transformer (Chen et al. 2021): a causal transformer over returns-to-go, observations
// and actions that predicts each action. docs/algorithms/dt.md.
#pragma once

#include <optional>

#include "algorithms/algorithm.h"

namespace drydock::algorithms {

// The defaults are those of the preset `corl`.
struct DtSettings {
    CommonSettings common;
    // The network.
    std::int64_t context_length = 20;  // steps, of three tokens each
    std::int64_t layers = 3, heads = 1, embedding_dim = 128;
    std::int64_t mlp_dim = 0;  // 0: four times embedding_dim
    std::int64_t episode_len = 1000;
    std::int64_t timestep_rows = 0;  // of the table; 0: episode_len, and what padding behind needs
    std::string activation = "gelu";
    double layer_norm_epsilon = 1e-5;
    // Rates; the last three where they are not the first.
    double dropout = 0.1;
    std::optional<double> embedding_dropout, attention_dropout, residual_dropout;
    // First values: the layers around the blocks, those in them, their projections to queries, keys
    // and values, and the deviation of the table of time steps. `initial_std` is the deviation of
    // "normal".
    std::string embedding_initializer = "normal", block_initializer = "normal";
    std::string qkv_initializer = "xavier";
    double initial_std = 0.02, timestep_std = 0.02;
    // The batch.
    std::string padding = "right";
    std::string pad_observation = "normalized_zero";
    double pad_action = 0.0;
    double reward_scale = 0.001, discount = 1.0;
    // The loss and its optimizer.
    std::string loss_mean = "all";
    double learning_rate = 1e-4;
    std::string learning_rate_schedule = "warmup";
    AdamSettings adam;
    // Evaluation: returns to ask for, as numbers with commas between them; empty: the data's best.
    std::string target_returns;
    // Filled in by fit().
    std::int64_t observation_size = 0, action_size = 0;

    DtSettings() {
        common.batch_size = 64;
        common.max_steps = 100000;
        common.observation_epsilon = 1e-6;
        common.normalize_over = "all";
        adam.weight_decay = 1e-4;
        adam.gradient_clip = 0.25;
        adam.warmup_steps = 10000;
    }
};

// Adds the group `transformer` to `state`; the sizes must be there. The settings are copied.
std::unique_ptr<Algorithm> make_dt(State& state, const DtSettings& settings);

// The numbers in the setting target_returns. Throws Error (usage) for anything else.
std::vector<double> parse_returns(const std::string& text);

// Its settings by name and its presets (dt_settings.cpp).
std::unique_ptr<Recipe> make_dt_recipe();

}  // namespace drydock::algorithms
