// Reward transforms that published presets apply to transitions before training.
#pragma once

#include <cstdint>
#include <string>

#include "data/transitions.h"

namespace drydock::data {

enum class RewardTransform {
    none,
    return_range,  // r = r / (max return - min return) * max_episode_steps, as CORL's modify_reward
    // r = r / (max return - min return) * 1000 over trajectories cut at terminals and where s' is
    // not the next row's s, as the IQL authors' normalize (train_offline.py)
    trajectory_range,
    minus_one,           // r = r - 1, for antmaze's rewards of 0 and 1
    times_10_minus_5,    // r = 10 r - 5, for the same, as CORL's configs/offline/cql/antmaze
    minus_half_times_4,  // r = 4 (r - 0.5), for the same, as the CQL authors' script for antmaze
};

const char* name_of(RewardTransform transform);

// The transform of that name; throws drydock::Error (usage) that lists the names.
RewardTransform parse_reward_transform(const std::string& name);

struct ReturnRange {
    double min = 0, max = 0;
    std::int64_t episodes = 0;
};

// Smallest and largest undiscounted return as CORL computes them (algorithms/offline/iql.py,
// return_reward_range): over the transitions as they are, an episode ends at a terminal or after
// max_episode_steps rows, and the unfinished tail does not count. On the `qlearning_dataset` view,
// which has dropped each timed-out row, full episodes have max_episode_steps - 1 rows, so that cuts
// drift into the next episode and the range is slightly off; that is CORL's flaw, kept for parity.
// Throws drydock::Error when no episode is complete.
ReturnRange corl_return_range(const Transitions& transitions, std::int64_t max_episode_steps);

// Smallest and largest undiscounted return as the IQL authors compute them (split_into_trajectories
// of common.py and normalize of train_offline.py): a trajectory ends at a terminal, where a
// transition's s' is not the next transition's s (Euclidean distance above 1e-6), and with the last
// transition; returns are summed in double, and all trajectories count, the last one too. To be
// called before observations are normalised.
ReturnRange trajectory_return_range(const Transitions& transitions);

// Changes transitions.rewards in place, in float32 as the published code does, and returns the
// range that it divided by (all zero for the other transforms). Throws drydock::Error when all
// returns are equal. `max_episode_steps` is return_range's.
ReturnRange transform_rewards(Transitions& transitions, RewardTransform transform,
                              std::int64_t max_episode_steps = 1000);

}  // namespace drydock::data
