#include "data/sequences.h"

#include <doctest/doctest.h>

#include "base/error.h"

namespace drydock::data {
namespace {

using Floats = std::vector<float>;

// Episodes of 3 steps (terminal) and 2 (timeout), and one that the end cuts after 2.
Dataset example() {
    Dataset d;
    d.rows = 7;
    d.observation_size = 2;
    d.action_size = 1;
    for (int i = 0; i < 7; ++i) {
        const auto x = static_cast<float>(i);
        d.observations.insert(d.observations.end(), {x, 10 * x});
        d.actions.push_back(x / 10);
    }
    d.rewards = {1, 2, 4, 8, 16, 32, 64};
    d.terminals = {0, 0, 1, 0, 0, 0, 0};
    d.timeouts = {0, 0, 0, 0, 1, 0, 0};
    return d;
}

TEST_CASE("returns-to-go count the present reward and stop where an episode does") {
    SequenceReport report;
    const Transitions t = make_sequences(example(), {1.0, 0.5, 1000}, &report);
    CHECK(t.count == 5);
    CHECK(t.returns_to_go == Floats{3.5, 3, 2, 12, 8});
    CHECK(t.episode_offsets == std::vector<std::int64_t>{0, 3, 5});
    CHECK(t.observations == Floats{0, 0, 1, 10, 2, 20, 3, 30, 4, 40});
    CHECK(t.actions.size() == 5);
    CHECK(report.episodes == 2);
    CHECK(report.rows == 5);
    CHECK(report.dropped_rows == 2);
    CHECK(report.shortest == 2);
    CHECK(report.longest == 3);
    CHECK(report.lowest_return == 7);
    CHECK(report.highest_return == 24);
}

TEST_CASE("returns-to-go may be discounted, as the tutorial has them") {
    const Transitions t = make_sequences(example(), {0.5, 1.0, 1000}, nullptr);
    CHECK(t.returns_to_go == Floats{1 + 0.5f * 4, 2 + 0.5f * 4, 4, 8 + 0.5f * 16, 16});
}

TEST_CASE("a file without timeouts is cut where an episode reaches the limit") {
    Dataset d = example();
    d.timeouts.clear();
    const Transitions t = make_sequences(d, {1.0, 1.0, 2}, nullptr);
    CHECK(t.episode_offsets == std::vector<std::int64_t>{0, 2, 3, 5, 7});
}

TEST_CASE("data without a complete episode are refused") {
    Dataset d = example();
    d.terminals.assign(7, 0);
    d.timeouts.assign(7, 0);
    CHECK_THROWS_WITH_AS(make_sequences(d, {}, nullptr),
                         doctest::Contains("expected a complete episode"), Error);
}

TEST_CASE("padding is one row behind the data") {
    Transitions t = make_sequences(example(), {}, nullptr);
    t.pad_observation = {-1, -2};
    append_padding(t);
    CHECK(t.count == 5);
    CHECK(t.observations.size() == 12);
    CHECK(t.observations[10] == -1);
    CHECK(t.observations[11] == -2);
    CHECK(t.actions.back() == 0);
    CHECK(t.returns_to_go.size() == 6);
    CHECK(t.returns_to_go.back() == 0);
}

}  // namespace
}  // namespace drydock::data
