// Settings by name, presets, and what wrong values get.
#include "algorithms/settings.h"

#include <doctest/doctest.h>

#include <cmath>

#include "algorithms/algorithm.h"
#include "base/error.h"

namespace drydock::test {
namespace {

using algorithms::make_recipe;

TEST_CASE("every setting of IQL takes back its own text") {
    const auto recipe = make_recipe("iql");
    recipe->fit(11, 3);
    auto& settings = recipe->settings();
    CHECK(settings.names().size() > 20);
    for (const std::string& name : settings.names()) {
        CAPTURE(name);
        const std::string text = settings.get(name);
        settings.set(name, text);
        CHECK(settings.get(name) == text);
        CHECK_FALSE(settings.help(name).empty());
    }
}

TEST_CASE("numbers keep their bits through text") {
    const auto recipe = make_recipe("iql");
    recipe->settings().set("discount", "0.98999999999999999");
    CHECK(recipe->settings().get("discount") == "0.99");
    recipe->settings().set("discount", "0.1");
    CHECK(std::stod(recipe->settings().get("discount")) == 0.1);
    recipe->settings().set("max_steps", "1e6");
    CHECK(recipe->settings().get("max_steps") == "1000000");
    recipe->settings().set("exp_advantage_max", "null");
    CHECK(recipe->settings().get("exp_advantage_max") == "inf");
    recipe->settings().set("gradient_clip", "null");
    CHECK(recipe->settings().get("gradient_clip") == "inf");
    recipe->settings().set("weight_decay", "null");
    CHECK(recipe->settings().get("weight_decay") == "0");
    CHECK_THROWS_AS(recipe->settings().set("discount", "null"), Error);
}

TEST_CASE("a wrong setting gets one usage error that says what was expected") {
    const auto recipe = make_recipe("iql");
    auto& s = recipe->settings();
    CHECK_THROWS_WITH_AS(s.set("expectil", "0.7"), doctest::Contains("did you mean 'expectile'"),
                         Error);
    CHECK_THROWS_WITH_AS(s.set("expectile", "1"), doctest::Contains("(0, 1)"), Error);
    CHECK_THROWS_WITH_AS(s.set("expectile", "high"), doctest::Contains("a number"), Error);
    CHECK_THROWS_WITH_AS(s.set("expectile", "nan"), doctest::Contains("expectile"), Error);
    CHECK_THROWS_WITH_AS(s.set("batch_size", "2.5"), doctest::Contains("an integer"), Error);
    CHECK_THROWS_WITH_AS(s.set("batch_size", "0"), doctest::Contains("batch_size"), Error);
    CHECK_THROWS_WITH_AS(s.set("deterministic_policy", "maybe"), doctest::Contains("true or false"),
                         Error);
    CHECK_THROWS_WITH_AS(s.set("transitions", "mine"), doctest::Contains("qlearning_dataset"),
                         Error);
    CHECK_THROWS_WITH_AS(s.set("layer_sizes", "{\"q1\": [3]}"), doctest::Contains("layer_sizes"),
                         Error);
    CHECK_THROWS_WITH_AS(s.set("actor_learning_rate_schedule", "linear"),
                         doctest::Contains("cosine"), Error);
    CHECK_THROWS_AS(s.set("gradient_clip", "0"), Error);
    CHECK_THROWS_AS(s.set("adam_beta1", "1"), Error);
    CHECK_THROWS_AS(s.set("layer_sizes", "{\"v\": [11, 4294967296, 1]}"), Error);
    CHECK_THROWS_WITH_AS(make_recipe("sac"), doctest::Contains("iql"), Error);
    try {
        s.set("nothing", "1");
    } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::usage);
    }
}

TEST_CASE("preset corl takes the row of the data set, and says so") {
    const auto recipe = make_recipe("iql");
    auto& s = recipe->settings();
    const auto value = [&](const char* dataset, const char* name) {
        recipe->apply_preset("corl", dataset);
        return s.get(name);
    };
    CHECK(value("halfcheetah-medium", "expectile") == "0.7");
    CHECK(value("halfcheetah-medium", "temperature") == "3");
    CHECK(value("hopper-medium-expert", "expectile") == "0.5");
    CHECK(value("hopper-medium-expert", "temperature") == "6");
    CHECK(value("hopper-medium", "deterministic_policy") == "true");
    CHECK(value("hopper-medium-replay", "polyak") == "0.001");
    CHECK(value("hopper-medium-replay", "reward_transform") == "return_range");
    CHECK(value("antmaze-large-play", "temperature") == "10");
    CHECK(value("antmaze-large-play", "reward_transform") == "minus_one");
    CHECK(value("pen-human", "expectile") == "0.8");
    // A row leaves nothing behind for the next.
    CHECK(value("walker2d-medium", "deterministic_policy") == "false");
    CHECK(recipe->apply_preset("corl", "hopper-medium").find("hopper-medium") != std::string::npos);
    CHECK(recipe->apply_preset("corl", "mine").find("no row") != std::string::npos);
    CHECK_THROWS_AS(recipe->apply_preset("paperish", ""), Error);
}

TEST_CASE("sizes that do not fit the data are refused") {
    const auto recipe = make_recipe("iql");
    recipe->settings().set("layer_sizes", "{\"q1\": [9, 32, 1]}");
    CHECK_THROWS_WITH_AS(recipe->fit(11, 3), doctest::Contains("from 14 to 1"), Error);
    const auto misspelt = make_recipe("iql");
    misspelt->settings().set("layer_sizes", "{\"critic\": [14, 32, 1]}");
    CHECK_THROWS_WITH_AS(misspelt->fit(11, 3), doctest::Contains("'critic'"), Error);
    const auto crossed = make_recipe("iql");
    crossed->settings().set("log_std_min", "3");
    CHECK_THROWS_AS(crossed->fit(11, 3), Error);
    const auto other = make_recipe("iql");
    other->settings().set("layer_sizes", "{\"q1\": [14, 32, 1]}");
    other->fit(11, 3);
    CHECK(other->settings().get("layer_sizes").find("\"q1\":[14,32,1]") != std::string::npos);
    CHECK(other->settings().get("layer_sizes").find("\"v\":[11,256,256,1]") != std::string::npos);
}

}  // namespace
}  // namespace drydock::test
