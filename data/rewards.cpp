#include "data/rewards.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace drydock::data {

const char* name_of(RewardTransform transform) {
    switch (transform) {
        case RewardTransform::none:
            return "none";
        case RewardTransform::return_range:
            return "return_range";
        case RewardTransform::trajectory_range:
            return "trajectory_range";
        case RewardTransform::minus_one:
            return "minus_one";
    }
    return "unknown";
}

RewardTransform parse_reward_transform(const std::string& name) {
    for (const auto transform : {RewardTransform::none, RewardTransform::return_range,
                                 RewardTransform::trajectory_range, RewardTransform::minus_one}) {
        if (name == name_of(transform)) return transform;
    }
    throw Error(fmt::format("[data] expected the reward transform none, return_range, "
                            "trajectory_range or minus_one, "
                            "got \"{}\"",
                            name),
                ErrorKind::usage);
}

ReturnRange corl_return_range(const Transitions& transitions, std::int64_t max_episode_steps) {
    ReturnRange range;
    double episode_return = 0;
    std::int64_t length = 0;
    for (std::size_t i = 0; i < transitions.rewards.size(); ++i) {
        episode_return += double{transitions.rewards[i]};
        ++length;
        if (transitions.terminals[i] == 0.0f && length != max_episode_steps) continue;
        range.min = range.episodes == 0 ? episode_return : std::min(range.min, episode_return);
        range.max = range.episodes == 0 ? episode_return : std::max(range.max, episode_return);
        ++range.episodes;
        episode_return = 0;
        length = 0;
    }
    if (range.episodes == 0) {
        throw Error(
            fmt::format("[data] expected an episode that ends within {} transitions, got "
                        "{} transitions without an end; set max_episode_steps to the "
                        "environment's limit",
                        max_episode_steps, transitions.count));
    }
    return range;
}

ReturnRange transform_rewards(Transitions& transitions, RewardTransform transform,
                              std::int64_t max_episode_steps) {
    if (transform == RewardTransform::none) return {};
    if (transform == RewardTransform::minus_one) {
        for (float& reward : transitions.rewards) reward -= 1.0f;
        return {};
    }
    const ReturnRange range = corl_return_range(transitions, max_episode_steps);
    const auto divisor = static_cast<float>(range.max - range.min);
    if (!(divisor > 0)) {
        throw Error(
            fmt::format("[data] expected returns that differ, got {} in all {} episodes; "
                        "choose the reward transform none",
                        range.min, range.episodes));
    }
    // Two roundings, as numpy does for a float32 array and two Python numbers.
    for (float& reward : transitions.rewards) {
        reward /= divisor;
        reward *= static_cast<float>(max_episode_steps);
    }
    return range;
}

}  // namespace drydock::data
