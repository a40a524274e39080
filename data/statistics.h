// Facts about a data set, for `drydock data info`. Printing and JSON are the program's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace drydock::data {

// Of a list of numbers. The deviation is the population's; percentiles interpolate linearly between
// order statistics, as numpy's default does. All zero for an empty list.
struct Summary {
    std::int64_t count = 0;
    double mean = 0, std = 0, min = 0, max = 0;
    double p10 = 0, p50 = 0, p90 = 0;
};

Summary summarize(std::vector<double> values);

// Of one column or dimension.
struct Range {
    double min = 0, max = 0;
};

struct DatasetStatistics {
    std::int64_t rows = 0, observation_size = 0, action_size = 0;
    std::int64_t episodes = 0, complete_episodes = 0, cut_episodes = 0;

    Summary returns;            // undiscounted, complete episodes
    Summary lengths;            // in rows, complete episodes
    std::int64_t cut_rows = 0;  // rows of episodes that are not complete

    Range reward;
    double reward_mean = 0;
    std::vector<Range> observation;  // per dimension
    std::vector<Range> action;       // per dimension
    // Share of the rows whose action in that dimension is exactly -1 or 1: where a tanh policy
    // saturated, and where a squashed log-density is infinite.
    std::vector<double> action_at_one;

    std::int64_t terminals = 0;  // rows with the flag
    std::int64_t timeouts = 0;
    std::int64_t both_flags = 0;  // rows with both: `qlearning_dataset` loses these terminals

    // Optional columns that the file lacks.
    std::vector<std::string> missing_columns;

    // Rows i whose stored next observation is not the observation of row i + 1 of the same episode
    // (Euclidean distance above 1e-6): joined files or shifted columns. -1 where none are stored.
    std::int64_t discontinuities = -1;
    std::int64_t first_discontinuity = -1;
};

// `max_episode_steps` cuts episodes where the file stores no timeouts (0: no limit).
DatasetStatistics compute_statistics(const Dataset& dataset, std::int64_t max_episode_steps = 0);

// D4RL's normalised score: 100 (value - reference_min) / (reference_max - reference_min), see
// d4rl/infos.py of Farama-Foundation/D4RL. An environment's references are in its EnvironmentInfo.
double normalized_score(double value, double reference_min, double reference_max);

}  // namespace drydock::data
