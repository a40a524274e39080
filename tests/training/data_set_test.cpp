#include "training/data_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/training/support.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;
using training::prepare_training_data;

TEST_CASE("actions are mapped to [-1, 1] and observations normalised") {
    const auto environment = envs::make_environment("pendulum");
    auto recipe = testing::small_recipe();
    const data::Dataset& raw = testing::pendulum_data();
    const auto data = prepare_training_data(raw, *recipe, &environment->info());
    CHECK(data.actions.scale == std::vector<float>{2.0f});
    CHECK(data.actions.bias == std::vector<float>{0.0f});
    CHECK(data.transitions.actions[5] == raw.actions[5] / 2.0f);
    double mean = 0, square = 0;
    for (std::int64_t i = 0; i < data.transitions.count; ++i) {
        const double x = data.transitions.observations[static_cast<std::size_t>(3 * i + 2)];
        mean += x / static_cast<double>(data.transitions.count);
        square += x * x / static_cast<double>(data.transitions.count);
    }
    CHECK(std::fabs(mean) < 1e-5);
    CHECK(std::fabs(square - 1.0) < 0.01);
    REQUIRE(data.golden_rows == 16);
    CHECK(data.golden_observations[0] == raw.observations[0]);
}

TEST_CASE("settings decide about the normaliser, the rewards and the bounds") {
    auto recipe = testing::small_recipe();
    recipe->settings().set("normalize_observations", "false");
    recipe->settings().set("reward_transform", "minus_one");
    recipe->settings().set("max_action", "4");
    const data::Dataset& raw = testing::pendulum_data();
    const auto data = prepare_training_data(raw, *recipe, nullptr);
    CHECK(data.normalizer.is_identity());
    CHECK(data.transitions.observations[4] == raw.observations[4]);
    CHECK(data.transitions.rewards[3] == raw.rewards[3] - 1.0f);
    CHECK(data.actions.high == std::vector<float>{4.0f});
}

TEST_CASE("bounds that are not symmetric are mapped onto [-1, 1]") {
    const auto map = training::ActionMap::from_bounds({-1.0f, 2.0f}, {3.0f, 4.0f});
    CHECK(map.scale == std::vector<float>{2.0f, 1.0f});
    CHECK(map.bias == std::vector<float>{1.0f, 3.0f});
    CHECK_THROWS_AS(training::ActionMap::from_bounds({1.0f}, {1.0f}), Error);
}

TEST_CASE("data that do not fit are refused") {
    auto recipe = testing::small_recipe();
    const auto environment = envs::make_environment("pendulum");
    const data::Dataset& raw = testing::pendulum_data();
    // The pendulum's torques reach 2.
    CHECK(contains(error_of([&] { prepare_training_data(raw, *recipe, nullptr); }), "max_action"));
    envs::EnvironmentInfo wide = environment->info();
    wide.observation_size = 4;
    CHECK(
        contains(error_of([&] { prepare_training_data(raw, *recipe, &wide); }), "4 observations"));
    data::Dataset broken = raw;
    broken.rewards[7] = std::nanf("");
    CHECK(contains(error_of([&] { prepare_training_data(broken, *recipe, &environment->info()); }),
                   "rewards"));
}

TEST_CASE("a preset's row is named without folder, ending and version") {
    CHECK(training::preset_key("a/hopper-medium-expert-v2.hdf5") == "hopper-medium-expert");
    CHECK(training::preset_key("antmaze-umaze-v10.hdf5") == "antmaze-umaze");
    CHECK(training::preset_key("mine.hdf5") == "mine");
    CHECK(training::preset_key("run-7.hdf5") == "run-7");
    CHECK(training::preset_key("-v2") == "");
}

}  // namespace
}  // namespace drydock
