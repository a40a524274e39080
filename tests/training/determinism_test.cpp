#include <doctest/doctest.h>

#include "tests/training/support.h"

namespace drydock {
namespace {

std::vector<std::byte> after(int threads, std::uint64_t seed) {
    testing::SmallRun run(threads, seed);
    run.session->run(60);
    return testing::state_bytes(run.session->state());
}

TEST_CASE("one thread and several give the same bits") {
    const std::vector<std::byte> one = after(1, 7);
    CHECK(one == after(2, 7));
    CHECK(one == after(3, 7));
    CHECK(one != after(1, 8));
}

TEST_CASE("acting between updates changes nothing") {
    testing::SmallRun plain, watched;
    plain.session->run(20);
    for (int i = 0; i < 20; ++i) {
        watched.session->run(1);
        watched.session->act(watched.data.golden_observations);
    }
    CHECK(testing::state_bytes(plain.session->state()) ==
          testing::state_bytes(watched.session->state()));
    CHECK(watched.session->step() == 20);
}

TEST_CASE("acting works on any number of rows") {
    testing::SmallRun run;
    const std::vector<float>& rows = run.data.golden_observations;
    const std::vector<float> few = run.session->act(rows);
    REQUIRE(few.size() == rows.size() / 3);
    std::vector<float> many;
    for (int i = 0; i < 9; ++i) many.insert(many.end(), rows.begin(), rows.end());
    const std::vector<float> actions = run.session->act(many);
    REQUIRE(actions.size() == 9 * few.size());
    for (std::size_t i = 0; i < actions.size(); ++i) CHECK(actions[i] == few[i % few.size()]);
}

}  // namespace
}  // namespace drydock
