#include "data/rewards.h"

#include <doctest/doctest.h>

#include "tests/data/example.h"

namespace drydock::data {
namespace {

Transitions with_rewards(std::vector<float> rewards, std::vector<float> terminals) {
    Transitions t;
    t.count = static_cast<std::int64_t>(rewards.size());
    t.rewards = std::move(rewards);
    t.terminals = std::move(terminals);
    return t;
}

}  // namespace

TEST_CASE("the return range cuts at terminals and the limit, and drops the tail") {
    const ReturnRange r =
        corl_return_range(with_rewards({1, 2, 5, 5, 5, 4, 100}, {0, 1, 0, 0, 0, 1, 0}), 3);
    CHECK(r.episodes == 3);  // 1 + 2, 5 + 5 + 5, 4; the 100 is not counted
    CHECK(r.min == 3);
    CHECK(r.max == 15);
}

TEST_CASE("cuts drift on the qlearning view, as CORL's do") {
    // Two full episodes of 3 steps whose timed-out rows are dropped: 2 rows each remain, and cuts
    // after 3 rows join the episodes.
    const Transitions t = make_transitions(flag_dataset("0000000", "0010010", false));
    CHECK(t.rewards == std::vector<float>{0, 10, 30, 40});
    const ReturnRange r = corl_return_range(t, 3);
    CHECK(r.episodes == 1);
    CHECK(r.max == 40);
}

TEST_CASE("negative returns keep their order") {
    const ReturnRange r = corl_return_range(with_rewards({-3, -1, -2}, {1, 1, 1}), 10);
    CHECK(r.min == -3);
    CHECK(r.max == -1);
}

TEST_CASE("rewards are divided by the range and multiplied by the limit in float32") {
    Transitions t = with_rewards({1, 0.1f, 3}, {1, 1, 1});
    const ReturnRange r = transform_rewards(t, RewardTransform::return_range, 1000);
    const auto range = static_cast<float>(3.0 - double{0.1f});
    CHECK(r.max - r.min == 3.0 - double{0.1f});
    CHECK(t.rewards == std::vector<float>{1 / range * 1000, 0.1f / range * 1000, 3 / range * 1000});
}

TEST_CASE("minus_one shifts and none leaves alone") {
    Transitions t = with_rewards({0, 1}, {0, 1});
    transform_rewards(t, RewardTransform::none);
    CHECK(t.rewards == std::vector<float>{0, 1});
    transform_rewards(t, RewardTransform::minus_one);
    CHECK(t.rewards == std::vector<float>{-1, 0});
}

TEST_CASE("the two transforms of CQL's antmaze") {
    Transitions t = with_rewards({0, 1}, {0, 1});
    transform_rewards(t, RewardTransform::times_10_minus_5);
    CHECK(t.rewards == std::vector<float>{-5, 5});
    t = with_rewards({0, 1}, {0, 1});
    transform_rewards(t, RewardTransform::minus_half_times_4);
    CHECK(t.rewards == std::vector<float>{-2, 2});
}

TEST_CASE("ranges that do not exist are refused") {
    Transitions open = with_rewards({1, 2}, {0, 0});
    CHECK(has_all(message_of([&] { transform_rewards(open, RewardTransform::return_range, 1000); }),
                  {"ends within 1000", "2 transitions"}));
    Transitions equal = with_rewards({1, 1}, {1, 1});
    CHECK(
        has_all(message_of([&] { transform_rewards(equal, RewardTransform::return_range, 1000); }),
                {"returns that differ", "got 1"}));
    CHECK(equal.rewards == std::vector<float>{1, 1});
}

TEST_CASE("transforms have names") {
    for (const auto t : {RewardTransform::none, RewardTransform::return_range,
                         RewardTransform::trajectory_range, RewardTransform::minus_one,
                         RewardTransform::times_10_minus_5, RewardTransform::minus_half_times_4}) {
        CHECK(parse_reward_transform(name_of(t)) == t);
    }
    CHECK(has_all(message_of([] { parse_reward_transform("plus"); }), {"minus_one", "plus"}));
}

namespace {

// One-dimensional rows whose s' is the next row's s, but after the rows in `jumps`.
Transitions chain(std::vector<float> rewards, std::vector<float> terminals,
                  const std::vector<std::size_t>& jumps, float jump = 1.0f) {
    Transitions t = with_rewards(std::move(rewards), std::move(terminals));
    t.observation_size = 1;
    for (std::size_t i = 0; i < t.rewards.size(); ++i) {
        t.observations.push_back(static_cast<float>(i) / 8);
        t.next_observations.push_back(static_cast<float>(i + 1) / 8);
    }
    for (const std::size_t i : jumps) t.next_observations[i] += jump;
    return t;
}

}  // namespace

TEST_CASE("trajectories end at terminals, at jumps and with the file, and all of them count") {
    // 1 + 2 | 4 (terminal) | 8 + 16 | 32: the tail has the largest return.
    const ReturnRange r =
        trajectory_return_range(chain({1, 2, 4, 8, 16, 32}, {0, 0, 1, 0, 0, 0}, {1, 4}));
    CHECK(r.episodes == 4);
    CHECK(r.min == 3);
    CHECK(r.max == 32);
}

TEST_CASE("a terminal where the states jump ends one trajectory, and so does one in the last row") {
    CHECK(trajectory_return_range(chain({1, 2}, {1, 0}, {0})).episodes == 2);
    CHECK(trajectory_return_range(chain({1, 2}, {0, 1}, {1})).episodes == 1);
    CHECK(trajectory_return_range(chain({5}, {1}, {})).episodes == 1);
    CHECK(trajectory_return_range(chain({1, 2, 3}, {1, 1, 1}, {})).episodes == 3);
}

TEST_CASE("states count as the same up to a distance of 1e-6") {
    // Small observations, so that float32 holds such differences.
    const auto episodes = [](float gap) {
        Transitions t = with_rewards({1, 1}, {0, 0});
        t.observation_size = 2;
        t.observations = {0, 0, 0, 0};
        t.next_observations = {gap, gap, 0, 0};
        return trajectory_return_range(t).episodes;
    };
    CHECK(episodes(0.70e-6f) == 1);  // 0.99e-6 in all
    CHECK(episodes(0.71e-6f) == 2);  // 1.004e-6: neither coordinate alone is beyond
}

TEST_CASE("trajectory_range divides by the range and multiplies by 1000, whatever the limit") {
    Transitions t = chain({1, 0.1f, 3}, {1, 1, 1}, {});
    const ReturnRange r = transform_rewards(t, RewardTransform::trajectory_range, 7);
    const auto range = static_cast<float>(3.0 - double{0.1f});
    CHECK(r.max - r.min == 3.0 - double{0.1f});
    CHECK(t.rewards == std::vector<float>{1 / range * 1000, 0.1f / range * 1000, 3 / range * 1000});
}

TEST_CASE("returns are summed in double") {
    // In float32, 2^24 + 1 would stay 2^24 for ever.
    std::vector<float> rewards(9, 1.0f);
    rewards[0] = 16777216.0f;
    const std::vector<float> none(9, 0.0f);
    CHECK(trajectory_return_range(chain(rewards, none, {})).max == 16777224.0);
}

TEST_CASE("trajectory_range refuses equal returns, one trajectory among them") {
    Transitions equal = chain({2, 2}, {1, 1}, {});
    CHECK(has_all(message_of([&] { transform_rewards(equal, RewardTransform::trajectory_range); }),
                  {"returns that differ", "got 2 in all 2 episodes", "reward transform none"}));
    Transitions single = chain({2, 3}, {0, 0}, {});
    CHECK(has_all(message_of([&] { transform_rewards(single, RewardTransform::trajectory_range); }),
                  {"returns that differ", "all 1 episodes"}));
    CHECK(single.rewards == std::vector<float>{2, 3});
}

TEST_CASE("on the qlearning view trajectories end where a timed-out row was dropped") {
    // Rows 2 and 5 time out. Row 1 leads to row 2, which is not there: a jump.
    const Transitions t = make_transitions(flag_dataset("0000000", "0010010", false));
    const ReturnRange r = trajectory_return_range(t);
    CHECK(r.episodes == 2);
    CHECK(r.min == 10);  // rewards 0 and 10
    CHECK(r.max == 70);  // 30 and 40
}

TEST_CASE("without timeouts the step limit cuts, and the cut last episode counts") {
    TransitionOptions options;
    options.max_episode_steps = 3;
    const Transitions t = make_transitions(flag_dataset("0000000", "", false), options);
    CHECK(t.rewards == std::vector<float>{0, 10, 30, 40});
    CHECK(trajectory_return_range(t).episodes == 2);
}

TEST_CASE("a row that is terminal and timeout ends a trajectory in both views") {
    const Dataset d = flag_dataset("00100", "00100", true);
    // qlearning_dataset drops row 2: 0 + 10 | 30.
    const ReturnRange dropped = trajectory_return_range(make_transitions(d));
    CHECK(dropped.episodes == 2);
    CHECK(dropped.max == 30);
    // corrected keeps it as a terminal; the stored s' here never are the next s.
    CHECK(trajectory_return_range(make_transitions(d, {TransitionView::corrected})).episodes == 5);
    const Dataset unstored = flag_dataset("00100", "00100", false);
    const ReturnRange kept =
        trajectory_return_range(make_transitions(unstored, {TransitionView::corrected}));
    CHECK(kept.episodes == 2);
    CHECK(kept.min == 30);  // 0 + 10 + 20; the file's last row has no known outcome
    CHECK(kept.max == 30);
}

}  // namespace drydock::data
