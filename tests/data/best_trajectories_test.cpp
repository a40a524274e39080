#include "data/best_trajectories.h"

#include <doctest/doctest.h>

#include "tests/data/example.h"

namespace drydock::data {
namespace {

// Row i has observation i, action -i and terminal and reward as given.
Transitions rows(const std::vector<float>& rewards, const std::vector<float>& terminals) {
    Transitions t;
    t.count = static_cast<std::int64_t>(rewards.size());
    t.observation_size = t.action_size = 1;
    t.rewards = rewards;
    t.terminals = terminals;
    for (std::size_t i = 0; i < rewards.size(); ++i) {
        t.observations.push_back(static_cast<float>(i));
        t.actions.push_back(-static_cast<float>(i));
    }
    return t;
}

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("CORL's choice counts trajectories, cuts at a length and drops the tail") {
    // Trajectories {0, 1} of return 3, {2, 3, 4} of 15 by the length, {5} of 4; 6 is the tail.
    const Transitions all = rows({1, 2, 5, 5, 5, 4, 100}, {0, 1, 0, 0, 0, 1, 0});
    Transitions t = all;
    BestReport r = keep_best_trajectories(t, {1.0, 1.0, 3});
    CHECK(t.observations == Floats{2, 3, 4, 5, 0, 1});
    CHECK(t.actions == Floats{-2, -3, -4, -5, 0, -1});
    CHECK(t.rewards == Floats{5, 5, 5, 4, 1, 2});
    CHECK(t.terminals == Floats{0, 0, 0, 1, 0, 1});
    CHECK(t.next_observations.empty());
    CHECK(t.count == 6);
    CHECK(r.trajectories == 3);
    CHECK(r.rows == 7);
    CHECK(r.kept_rows == 6);
    CHECK(r.highest == 15);
    CHECK(r.lowest_kept == 3);

    t = all;
    r = keep_best_trajectories(t, {0.67, 1.0, 3});  // 2.01 of 3
    CHECK(t.observations == Floats{2, 3, 4, 5});
    CHECK(r.lowest_kept == 4);
    t = all;
    keep_best_trajectories(t, {0.66, 1.0, 3});
    CHECK(t.observations == Floats{2, 3, 4});
    t = all;
    keep_best_trajectories(t, {0.01, 1.0, 3});  // one at least
    CHECK(t.count == 3);
}

TEST_CASE("trajectories are ranked by discounted returns") {
    Transitions t = rows({0, 10, 6, 0}, {0, 1, 0, 1});
    keep_best_trajectories(t, {0.5, 0.5, 10});
    CHECK(t.observations == Floats{2, 3});  // 6 goes before 5
    t = rows({0, 10, 6, 0}, {0, 1, 0, 1});
    keep_best_trajectories(t, {0.5, 1.0, 10});
    CHECK(t.observations == Floats{0, 1});
}

TEST_CASE("where no trajectory is complete, all rows are one") {
    Transitions t = rows({1, 2, 3}, {0, 0, 0});
    const BestReport r = keep_best_trajectories(t, {0.1, 1.0, 10});
    CHECK(t.observations == Floats{0, 1, 2});
    CHECK(r.trajectories == 1);
}

TEST_CASE("the Decision Transformer authors' choice counts rows and stays under them") {
    // Rewards are 10 i. Episodes {0, 1, 2} of 30, {3, 4} of 70, {5, 6, 7} of 180; 8 is cut.
    const Dataset all = flag_dataset("000010000", "001000010", true);
    const auto kept = [&](double fraction) {
        Dataset d = all;
        const BestReport r = keep_best_episodes(d, {fraction, 1.0, 1000});
        CHECK(d.rows == r.kept_rows);
        CHECK(d.actions.size() == d.observations.size());
        CHECK(d.timeouts.size() == d.observations.size());
        CHECK(d.next_observations.size() == d.observations.size());
        return d.observations;
    };
    CHECK(kept(0.01) == Floats{5, 6, 7});        // the best always
    CHECK(kept(0.5) == Floats{5, 6, 7});         // 4 rows: 5 would be too many
    CHECK(kept(0.74) == Floats{5, 6, 7});        // 5 rows: 5 is not under 5
    CHECK(kept(0.75) == Floats{3, 4, 5, 6, 7});  // 6 rows
    CHECK(kept(1.0) == Floats{3, 4, 5, 6, 7});   // 8 is not under 8: the worst goes
    Dataset d = all;
    const BestReport r = keep_best_episodes(d, {0.75, 1.0, 1000});
    CHECK(r.kept_trajectories == 2);
    CHECK(r.trajectories == 3);
    CHECK(r.rows == 9);
    CHECK(r.lowest_kept == 70);
    validate(d);
}

TEST_CASE("a share that cannot be and a file without an end are refused") {
    Transitions t = rows({1, 2}, {1, 1});
    CHECK(message_of([&] {
              keep_best_trajectories(t, {0.0, 1.0, 10});
          }).find("best_fraction above 0") != std::string::npos);
    Dataset d = flag_dataset("000", "000", false);
    CHECK(message_of([&] {
              keep_best_episodes(d, {0.5, 1.0, 1000});
          }).find("complete episode") != std::string::npos);
    CHECK(parse_best_by("transitions") == BestBy::transitions);
    CHECK(message_of([] { parse_best_by("rows"); }).find("transitions") != std::string::npos);
}

}  // namespace drydock::data
