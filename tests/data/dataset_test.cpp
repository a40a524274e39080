#include "data/dataset.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/data/example.h"

namespace drydock::data {

TEST_CASE("episodes end at terminals and timeouts, the last where the file ends") {
    const auto episodes = cut_episodes(example_dataset());
    REQUIRE(episodes.size() == 3);
    CHECK(episodes[0].first == 0);
    CHECK(episodes[0].last_exclusive == 5);
    CHECK(episodes[0].terminal);
    CHECK_FALSE(episodes[0].timeout);
    CHECK(episodes[0].complete);
    CHECK(episodes[1].first == 5);
    CHECK(episodes[1].length() == 5);
    CHECK(episodes[1].timeout);
    CHECK_FALSE(episodes[1].terminal);
    CHECK(episodes[2].last_exclusive == 12);
    CHECK_FALSE(episodes[2].complete);
}

TEST_CASE("a flag on the file's last row completes the last episode") {
    CHECK(cut_episodes(flag_dataset("001", "000", false)).back().complete);
    CHECK(cut_episodes(flag_dataset("000", "001", false)).back().complete);
    CHECK(cut_episodes(flag_dataset("11", "00", false)).size() == 2);
}

TEST_CASE("the step limit cuts only files without timeouts") {
    const auto episodes = cut_episodes(flag_dataset("0010000", "", false), 3);
    REQUIRE(episodes.size() == 3);
    CHECK(episodes[0].terminal);
    CHECK_FALSE(episodes[0].timeout);
    CHECK(episodes[1].first == 3);
    CHECK(episodes[1].timeout);
    CHECK(episodes[2].length() == 1);
    CHECK_FALSE(episodes[2].complete);
    CHECK(cut_episodes(flag_dataset("0010000", "", false)).size() == 2);
    CHECK(cut_episodes(flag_dataset("0010000", "0000000", false), 3).size() == 2);
}

TEST_CASE("validation names the column, the row and the count") {
    CHECK_NOTHROW(validate(example_dataset()));

    Dataset nan = example_dataset();
    nan.observations[7] = std::numeric_limits<float>::quiet_NaN();
    nan.observations[20] = std::numeric_limits<float>::infinity();
    CHECK(has_all(message_of([&] { validate(nan); }), {"observations", "nan", "row 2", "2 such"}));

    Dataset next = example_dataset();
    next.next_observations[35] = -std::numeric_limits<float>::infinity();
    CHECK(has_all(message_of([&] { validate(next); }), {"next_observations", "-inf", "row 11"}));

    Dataset action = example_dataset();
    action.actions[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK(has_all(message_of([&] { validate(action); }), {"in actions", "row 1"}));

    Dataset reward = example_dataset();
    reward.rewards[11] = std::numeric_limits<float>::quiet_NaN();
    CHECK(has_all(message_of([&] { validate(reward); }), {"in rewards", "row 11"}));
}

TEST_CASE("validation refuses columns of unequal length, odd flags and no rows") {
    Dataset shorter = example_dataset();
    shorter.timeouts.pop_back();
    CHECK(has_all(message_of([&] { validate(shorter); }), {"12 values in timeouts", "got 11"}));

    Dataset flag = example_dataset();
    flag.terminals[5] = 2;
    CHECK(has_all(message_of([&] { validate(flag); }), {"terminals", "got 2", "row 5"}));

    CHECK(has_all(message_of([] { validate(Dataset{}); }), {"at least one row", "0 rows"}));
}

TEST_CASE("actions are checked against bounds of their own dimension") {
    const Dataset d = example_dataset();
    const float low[] = {-1, -1};
    const float high[] = {1, 1};
    CHECK_NOTHROW(check_actions(d, low, high));
    const float tight[] = {1, 0.5f};
    CHECK(has_all(message_of([&] { check_actions(d, low, tight); }),
                  {"dimension 1", "[-1, 0.5]", "got 0.75 in row 2", "4 values"}));
    const float touching[] = {0.5f, 0.75f};
    CHECK_NOTHROW(check_actions(d, low, touching));
    const float three[] = {1, 1, 1};
    CHECK(has_all(message_of([&] { check_actions(d, low, three); }), {"size 2", "got 2 and 3"}));
}

}  // namespace drydock::data
