#include "data/statistics.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/data/example.h"

namespace drydock::data {

TEST_CASE("a summary has numpy's deviation and percentiles") {
    const Summary s = summarize({4, 1, 3, 2});
    CHECK(s.count == 4);
    CHECK(s.mean == 2.5);
    CHECK(s.std == doctest::Approx(std::sqrt(1.25)));
    CHECK(s.min == 1);
    CHECK(s.max == 4);
    CHECK(s.p10 == doctest::Approx(1.3));
    CHECK(s.p50 == doctest::Approx(2.5));
    CHECK(s.p90 == doctest::Approx(3.7));
    CHECK(summarize({5}).p90 == 5);
    CHECK(summarize({}).count == 0);
}

TEST_CASE("statistics of the example") {
    const DatasetStatistics s = compute_statistics(example_dataset());
    CHECK(s.rows == 12);
    CHECK(s.episodes == 3);
    CHECK(s.complete_episodes == 2);
    CHECK(s.cut_episodes == 1);
    CHECK(s.cut_rows == 2);
    CHECK(s.returns.min == -10);  // rows 0 to 4
    CHECK(s.returns.max == 2.5);  // rows 5 to 9
    CHECK(s.lengths.mean == 5);
    CHECK(s.reward.min == -3);
    CHECK(s.reward.max == 2.5);
    CHECK(s.reward_mean == -0.25);
    CHECK(s.observation[2].min == 0.25);
    CHECK(s.observation[2].max == 11.25);
    CHECK(s.action[0].min == -1);
    CHECK(s.action[0].max == 0.5);
    CHECK(s.action[1].min == -0.75);
    CHECK(s.action_at_one[0] == doctest::Approx(4.0 / 12));
    CHECK(s.action_at_one[1] == 0);
    CHECK(s.terminals == 1);
    CHECK(s.timeouts == 1);
    CHECK(s.both_flags == 0);
    CHECK(s.missing_columns.empty());
    CHECK(s.discontinuities == 0);
}

TEST_CASE("discontinuities are looked for inside episodes only") {
    Dataset d = example_dataset();
    d.next_observations[3 * 1 + 2] += 1e-3f;
    d.next_observations[3 * 6] += 1;
    const DatasetStatistics s = compute_statistics(d);
    CHECK(s.discontinuities == 2);
    CHECK(s.first_discontinuity == 1);
}

TEST_CASE("missing columns and rows with both flags are reported") {
    const DatasetStatistics bare = compute_statistics(flag_dataset("0010", "", false));
    CHECK(bare.missing_columns == std::vector<std::string>{"timeouts", "next_observations"});
    CHECK(bare.discontinuities == -1);
    CHECK(bare.first_discontinuity == -1);
    CHECK(compute_statistics(flag_dataset("0110", "0100", false)).both_flags == 1);
    CHECK(compute_statistics(flag_dataset("0000", "", false), 2).complete_episodes == 2);
}

TEST_CASE("the normalised score maps the references to 0 and 100") {
    CHECK(normalized_score(-20.272305, -20.272305, 3234.3) == 0);
    CHECK(normalized_score(3234.3, -20.272305, 3234.3) == doctest::Approx(100));
    CHECK(has_all(message_of([] { normalized_score(1, 2, 2); }), {"reference maximum"}));
}

}  // namespace drydock::data
