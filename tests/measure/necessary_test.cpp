#include "measure/necessary.h"

#include <doctest/doctest.h>

#include "base/error.h"

namespace drydock::measure {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

double gflop(const std::string& algorithm, std::int64_t observations, std::int64_t actions,
             const Settings& settings = {}) {
    const auto recipe = algorithms::make_recipe(algorithm);
    for (const auto& [name, value] : settings) recipe->settings().set(name, value);
    recipe->fit(observations, actions);
    return 1e-9 * total_flop(necessary_work(*recipe, observations, actions));
}

TEST_CASE("the necessary work at the papers' sizes") {
    CHECK(gflop("iql", 17, 6) == doctest::Approx(0.536).epsilon(0.001));
    CHECK(gflop("td3bc", 17, 6) == doctest::Approx(0.415).epsilon(0.0015));
    CHECK(gflop("cql", 17, 6) == doctest::Approx(13.3).epsilon(0.0015));
    CHECK(gflop("dt", 17, 6) == doctest::Approx(11.6).epsilon(0.0015));
}

// Counted by hand for layers of few units: products of two layers, rows 4.
TEST_CASE("each pass of a small network is counted once") {
    // actor 2-3-1: 9 multiply-adds forward, 9 for the weights, 3 for the hidden layer's gradient.
    CHECK(gflop("bc", 2, 1, {{"batch_size", "4"}, {"layer_sizes", R"({"actor": [2, 3, 1]})"}}) ==
          doctest::Approx(1e-9 * 2 * 4 * (9 + 9 + 3)));
    // q 2-3-2: 12 forward, 12, 6; twice forward at s'.
    const Settings discrete = {{"batch_size", "4"}, {"layer_sizes", R"({"q": [2, 3, 2]})"}};
    const auto recipe = algorithms::make_recipe("discrete-cql");
    for (const auto& [name, value] : discrete) recipe->settings().set(name, value);
    recipe->common().action_count = 2;
    recipe->fit(2, 1);
    CHECK(total_flop(necessary_work(*recipe, 2, 1)) ==
          doctest::Approx(2 * 4 * (12 + 12 + 6 + 12 + 12)));
}

TEST_CASE("settings that change the work change the count") {
    const double plain = gflop("iql", 17, 6);
    CHECK(gflop("iql", 17, 6, {{"target_critics", "false"}}) < plain);
    CHECK(gflop("iql", 17, 6, {{"advantage_from", "after_all_steps"}}) > plain);
    CHECK(gflop("iql", 17, 6, {{"batch_size", "512"}}) == doctest::Approx(2 * plain));
    CHECK(gflop("td3bc", 17, 6, {{"policy_period", "1"}}) > gflop("td3bc", 17, 6));
    CHECK(gflop("cql", 17, 6, {{"max_target_backup", "true"}}) > gflop("cql", 17, 6));
    CHECK(gflop("cql", 17, 6, {{"n_actions", "5"}}) < 0.6 * gflop("cql", 17, 6));
    CHECK(gflop("dt", 17, 6, {{"layers", "6"}}) > 2 * gflop("dt", 17, 6));
}

TEST_CASE("every algorithm of the registry is counted") {
    for (const std::string& name : algorithms::list_algorithms()) {
        CAPTURE(name);
        const auto recipe = algorithms::make_recipe(name);
        if (!recipe->takes_real_actions()) recipe->common().action_count = 3;
        const std::int64_t actions = recipe->takes_real_actions() ? 3 : 1;
        recipe->fit(11, actions);
        const Work work = necessary_work(*recipe, 11, actions);
        CHECK(!work.empty());
        for (const Term& term : work) CHECK_MESSAGE(term.flop > 0, term.what);
    }
}

}  // namespace
}  // namespace drydock::measure
