#include "data/rewards.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace drydock::data {
namespace {

constexpr double kSameState = 1e-6;          // distance up to which s' is the next s
constexpr float kTrajectoryScale = 1000.0f;  // of trajectory_range, whatever the time limit

void add_return(ReturnRange& range, double value) {
    range.min = range.episodes == 0 ? value : std::min(range.min, value);
    range.max = range.episodes == 0 ? value : std::max(range.max, value);
    ++range.episodes;
}

bool leads_to_next(const Transitions& t, std::size_t row) {
    const auto width = static_cast<std::size_t>(t.observation_size);
    double sum = 0;
    for (std::size_t j = row * width; j < (row + 1) * width; ++j) {
        const double d = double{t.observations[j + width]} - double{t.next_observations[j]};
        sum += d * d;
    }
    return std::sqrt(sum) <= kSameState;
}

// Two roundings, as numpy does for a float32 array and two Python numbers.
void scale_rewards(Transitions& transitions, const ReturnRange& range, float factor) {
    const auto divisor = static_cast<float>(range.max - range.min);
    if (!(divisor > 0)) {
        throw Error(
            fmt::format("[data] expected returns that differ, got {} in all {} episodes; "
                        "choose the reward transform none",
                        range.min, range.episodes));
    }
    for (float& reward : transitions.rewards) {
        reward /= divisor;
        reward *= factor;
    }
}

}  // namespace

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
        case RewardTransform::times_10_minus_5:
            return "times_10_minus_5";
        case RewardTransform::minus_half_times_4:
            return "minus_half_times_4";
    }
    return "unknown";
}

RewardTransform parse_reward_transform(const std::string& name) {
    std::vector<const char*> names;
    for (const auto transform :
         {RewardTransform::none, RewardTransform::return_range, RewardTransform::trajectory_range,
          RewardTransform::minus_one, RewardTransform::times_10_minus_5,
          RewardTransform::minus_half_times_4}) {
        names.push_back(name_of(transform));
        if (name == names.back()) return transform;
    }
    throw Error(fmt::format("[data] expected the reward transform {}, got \"{}\"",
                            fmt::join(names, ", "), name),
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
        add_return(range, episode_return);
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

ReturnRange trajectory_return_range(const Transitions& transitions) {
    ReturnRange range;
    double sum = 0;
    const std::size_t count = transitions.rewards.size();
    for (std::size_t i = 0; i < count; ++i) {
        sum += double{transitions.rewards[i]};
        const bool goes_on =
            i + 1 < count && transitions.terminals[i] == 0.0f && leads_to_next(transitions, i);
        if (goes_on) continue;
        add_return(range, sum);
        sum = 0;
    }
    return range;
}

ReturnRange transform_rewards(Transitions& transitions, RewardTransform transform,
                              std::int64_t max_episode_steps) {
    ReturnRange range;
    switch (transform) {
        case RewardTransform::none:
            break;
        case RewardTransform::minus_one:
            for (float& reward : transitions.rewards) reward -= 1.0f;
            break;
        case RewardTransform::times_10_minus_5:
            for (float& reward : transitions.rewards) reward = reward * 10.0f - 5.0f;
            break;
        case RewardTransform::minus_half_times_4:
            for (float& reward : transitions.rewards) reward = (reward - 0.5f) * 4.0f;
            break;
        case RewardTransform::return_range:
            range = corl_return_range(transitions, max_episode_steps);
            scale_rewards(transitions, range, static_cast<float>(max_episode_steps));
            break;
        case RewardTransform::trajectory_range:
            range = trajectory_return_range(transitions);
            scale_rewards(transitions, range, kTrajectoryScale);
            break;
    }
    return range;
}

}  // namespace drydock::data
