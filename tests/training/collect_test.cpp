#include "training/collect.h"

#include <doctest/doctest.h>

#include "data/d4rl.h"
#include "tests/training/support.h"

namespace drydock {
namespace {

using training::collect;
using training::CollectOptions;

CollectOptions pendulum(std::int64_t episodes, std::int64_t steps, int threads) {
    CollectOptions options;
    options.environment = "pendulum";
    options.behaviour = "mixed";
    options.episodes = episodes;
    options.steps = steps;
    options.threads = threads;
    return options;
}

TEST_CASE("collected data do not depend on threads") {
    const data::Dataset one = collect(pendulum(6, 0, 1));
    const data::Dataset three = collect(pendulum(6, 0, 3));
    CHECK(one.rows == 6 * 200);
    CHECK(one.observations == three.observations);
    CHECK(one.actions == three.actions);
    CHECK(one.rewards == three.rewards);
}

TEST_CASE("collected data are whole and say where they come from") {
    const testing::TemporaryFolder folder;
    data::Dataset dataset = collect(pendulum(0, 450, 2));
    CHECK(dataset.rows == 450);
    CHECK(dataset.attributes.at("env") == "pendulum");
    CHECK(dataset.attributes.at("behaviour") == "mixed");
    CHECK(dataset.attributes.at("seed") == "0");
    for (std::int64_t i = 0; i < 450; ++i) {
        const auto row = static_cast<std::size_t>(i);
        CHECK(dataset.timeouts[row] == (i % 200 == 199));
        if (i % 200 == 199 || i == 449) continue;
        CHECK(dataset.next_observations[3 * row] == dataset.observations[3 * row + 3]);
    }
    data::write_d4rl(folder.file("data.hdf5"), dataset);
    CHECK(data::read_d4rl(folder.file("data.hdf5")).rewards == dataset.rewards);
}

TEST_CASE("collect refuses what it cannot do") {
    CHECK_THROWS_AS(collect(pendulum(0, 0, 1)), Error);
    CHECK_THROWS_AS(collect(pendulum(2, 2, 1)), Error);
    CollectOptions unknown = pendulum(1, 0, 1);
    unknown.behaviour = "brilliant";
    CHECK(testing::contains(testing::error_of([&] { collect(unknown); }), "brilliant"));
}

}  // namespace
}  // namespace drydock
