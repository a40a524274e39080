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
    for (const auto t :
         {RewardTransform::none, RewardTransform::return_range, RewardTransform::minus_one}) {
        CHECK(parse_reward_transform(name_of(t)) == t);
    }
    CHECK(has_all(message_of([] { parse_reward_transform("plus"); }), {"minus_one", "plus"}));
}

}  // namespace drydock::data
