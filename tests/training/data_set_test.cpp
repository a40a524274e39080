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

TEST_CASE("action_clip keeps mapped actions off the bounds") {
    auto recipe = testing::small_recipe();
    data::Dataset raw = testing::pendulum_data();
    const auto environment = envs::make_environment("pendulum");
    raw.actions[0] = 2.0f;
    raw.actions[1] = -2.0f;
    raw.actions[2] = 1.0f;
    const auto actions_of = [&] {
        return prepare_training_data(raw, *recipe, &environment->info()).transitions.actions;
    };
    CHECK(actions_of()[0] == 1.0f);
    recipe->common().action_clip = 1.0 - 1e-5;
    CHECK(actions_of()[0] == static_cast<float>(1.0 - 1e-5));
    CHECK(actions_of()[1] == -static_cast<float>(1.0 - 1e-5));
    CHECK(actions_of()[2] == 0.5f);
    for (const double clip : {0.0, 1.5, -1.0, std::nan("")}) {
        recipe->common().action_clip = clip;
        CHECK(contains(error_of(actions_of), "action_clip above 0 and at most 1"));
    }
}

TEST_CASE("the authors' reward range is taken before observations are normalised") {
    auto recipe = testing::small_recipe();
    recipe->settings().set("reward_transform", "trajectory_range");
    data::Dataset raw = testing::pendulum_data();
    const auto environment = envs::make_environment("pendulum");
    // Five episodes of 200 rows, each of which loses its last row to the view.
    double least = 0, most = 0;
    for (std::size_t e = 0; e < 5; ++e) {
        double sum = 0;
        for (std::size_t i = 200 * e; i < 200 * e + 199; ++i) sum += double{raw.rewards[i]};
        least = e == 0 ? sum : std::min(least, sum);
        most = e == 0 ? sum : std::max(most, sum);
    }
    const auto data = prepare_training_data(raw, *recipe, &environment->info());
    REQUIRE(data.transitions.count == 5 * 199);
    CHECK(data.transitions.rewards[7] ==
          raw.rewards[7] / static_cast<float>(most - least) * 1000.0f);
}

TEST_CASE("a constant observation is divided by epsilon alone") {
    auto recipe = testing::small_recipe();
    data::Dataset raw = testing::pendulum_data();
    const auto environment = envs::make_environment("pendulum");
    for (std::size_t i = 0; i < raw.observations.size(); i += 3) raw.observations[i] = 0.25f;
    const auto data = prepare_training_data(raw, *recipe, &environment->info());
    CHECK(data.normalizer.mean[0] == 0.25f);
    CHECK(data.normalizer.std[0] == 1e-3f);
    CHECK(data.transitions.observations[0] == 0.0f);
    recipe->common().observation_epsilon = 0;
    CHECK(contains(error_of([&] { prepare_training_data(raw, *recipe, &environment->info()); }),
                   "constant 0.25 in dimension 0"));
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

TEST_CASE("published files find their rows by the names that they are downloaded under") {
    CHECK(training::preset_key("hopper_medium-v2.hdf5") == "hopper-medium");
    CHECK(training::preset_key("d/hopper_medium_replay-v2.hdf5") == "hopper-medium-replay");
    CHECK(training::preset_key("halfcheetah_medium_expert-v2.hdf5") == "halfcheetah-medium-expert");
    const auto antmaze = [](const std::string& maze, const char* starts, const char* goals) {
        return training::preset_key("Ant_maze_" + maze + "_noisy_multistart_" + starts +
                                    "_multigoal_" + goals + "_sparse_fixed.hdf5");
    };
    CHECK(antmaze("u-maze", "False", "False") == "antmaze-umaze");
    CHECK(antmaze("u-maze", "True", "True") == "antmaze-umaze-diverse");
    CHECK(antmaze("big-maze", "True", "False") == "antmaze-medium-play");
    CHECK(antmaze("big-maze", "True", "True") == "antmaze-medium-diverse");
    CHECK(antmaze("hardest-maze", "True", "False") == "antmaze-large-play");
    CHECK(antmaze("hardest-maze", "True", "True") == "antmaze-large-diverse");
    CHECK(antmaze("new-maze", "True", "True") ==
          "Ant-maze-new-maze-noisy-multistart-True-multigoal-True-sparse-fixed");
    auto recipe = algorithms::make_recipe("iql");
    recipe->apply_preset("paper", antmaze("hardest-maze", "True", "False"));
    CHECK(recipe->settings().get("expectile") == "0.9");
}

data::Dataset cartpole_data() {
    training::CollectOptions options;
    options.environment = "cartpole";
    options.behaviour = "random";
    options.episodes = 5;
    options.threads = 1;
    return training::collect(options);
}

TEST_CASE("choices stay numbers and reach the recipe; both mismatches are one usage error") {
    const data::Dataset choices = cartpole_data();
    CHECK(choices.action_count == 2);
    const auto cartpole = envs::make_environment("cartpole");
    for (const char* name : {"discrete-cql", "bc"}) {
        const auto recipe = algorithms::make_recipe(name);
        const auto data = prepare_training_data(choices, *recipe, &cartpole->info());
        CHECK(recipe->common().action_count == 2);
        CHECK(data.transitions.actions[3] == choices.actions[3]);
        CHECK(data.actions.high == std::vector<float>{1.0f});
        CHECK(data.actions.scale == std::vector<float>{1.0f});
    }
    const auto iql = algorithms::make_recipe("iql");
    std::string text = error_of([&] { prepare_training_data(choices, *iql, nullptr); });
    CHECK(contains(text, "expected actions that are real numbers for iql, got choices among 2"));
    CHECK(contains(text, "train one of bc, discrete-cql"));
    const auto discrete = algorithms::make_recipe("discrete-cql");
    text = error_of([&] { prepare_training_data(testing::pendulum_data(), *discrete, nullptr); });
    CHECK(contains(text, "expected actions that are choices (an integer column) for discrete-cql"));
    CHECK(contains(text, "1 real numbers per row"));
    const auto bc = algorithms::make_recipe("bc");
    const auto pendulum = envs::make_environment("pendulum");
    data::Dataset wide = choices;
    CHECK(contains(error_of([&] { prepare_training_data(wide, *bc, &pendulum->info()); }),
                   "environment 'pendulum'"));
}

}  // namespace
}  // namespace drydock
