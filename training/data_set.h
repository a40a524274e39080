// From a data file to what an update reads: transitions, transformed, normalised, checked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "data/best_trajectories.h"
#include "data/normalizer.h"
#include "data/rewards.h"
#include "data/sequences.h"
#include "data/transitions.h"
#include "envs/environment.h"

namespace drydock::training {

// The map from the policy's actions in [-1, 1] to the environment's: a = scale * x + bias, within
// [low, high]. All are (action_size).
struct ActionMap {
    std::vector<float> low, high, scale, bias;

    static ActionMap from_bounds(std::vector<float> low, std::vector<float> high);
    // For the number of a choice, which stays what it is.
    static ActionMap choices(std::int64_t count);
};

// The undiscounted returns of the data's complete episodes, in the file's own rewards.
struct EpisodeReturns {
    double low = 0, high = 0;
};

// Data ready for training, and what the policy file has to know of it.
struct TrainingData {
    std::string name;  // the file's stem, "hopper-medium-expert-v2"
    std::string path;
    std::string sha256;             // of the file
    data::Transitions transitions;  // observations normalised, actions in [-1, 1]
    data::Normalizer normalizer;
    std::optional<data::BestReport> best;           // where a share of the trajectories was chosen
    std::optional<data::SequenceReport> sequences;  // where windows of episodes are read
    data::RewardMap rewards;                        // what the transform did to them
    ActionMap actions;
    // Some observations as they are in the file, (golden_rows, observation_size).
    std::vector<float> golden_observations;
    std::int64_t golden_rows = 0;
    // Of complete episodes, discounted where windows are read and their returns-to-go are; none
    // where no episode is complete.
    std::optional<EpisodeReturns> returns;
};

// `max_episode_steps` cuts episodes where the data store no timeouts.
std::optional<EpisodeReturns> episode_returns(const data::Dataset& dataset,
                                              std::int64_t max_episode_steps);

// Reads a D4RL file and prepares it as `recipe` (its common settings and max_action) says.
// `environment` may be null: bounds are then +-max_action and the time limit CORL's 1000. Throws
// Error for what data::read_d4rl refuses, sizes that differ from the environment's, and actions
// outside the bounds. Stored next observations are read only where the view and the algorithm use
// them, and none are made (nor rewards transformed) for one that reads no outcomes; from the
// columns to the update there is one copy of the data.
TrainingData load_training_data(const std::string& path, algorithms::Recipe& recipe,
                                const envs::EnvironmentInfo* environment);

// The same from a data set in memory, whose columns it takes: give it with std::move, or a copy is
// made.
TrainingData prepare_training_data(data::Dataset dataset, algorithms::Recipe& recipe,
                                   const envs::EnvironmentInfo* environment);

// What selects a preset's row: "hopper-medium-expert" of ".../hopper-medium-expert-v2.hdf5" and of
// ".../hopper_medium_expert-v2.hdf5", "antmaze-umaze" of the file that D4RL names after the maze.
std::string preset_key(const std::string& path);

}  // namespace drydock::training
