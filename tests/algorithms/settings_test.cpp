// Settings by name, presets, and what wrong values get.
#include "algorithms/settings.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "algorithms/algorithm.h"
#include "base/error.h"

namespace drydock::test {
namespace {

using algorithms::make_recipe;

TEST_CASE("every setting of every algorithm takes back its own text") {
    for (const std::string& algorithm : algorithms::list_algorithms()) {
        const auto recipe = make_recipe(algorithm);
        if (!recipe->takes_real_actions()) recipe->common().action_count = 3;
        recipe->fit(11, 3);
        auto& settings = recipe->settings();
        CHECK(settings.names().size() > 15);
        for (const std::string& name : settings.names()) {
            CAPTURE(algorithm);
            CAPTURE(name);
            const std::string text = settings.get(name);
            settings.set(name, text);
            CHECK(settings.get(name) == text);
            CHECK_FALSE(settings.help(name).empty());
        }
    }
}

TEST_CASE("an optional number is a number or null") {
    const auto recipe = make_recipe("bc");
    auto& s = recipe->settings();
    CHECK(s.type("actor_learning_rate") == std::string("number"));
    CHECK(s.get("actor_learning_rate") == "null");
    s.set("actor_learning_rate", "1e-3");
    CHECK(s.get("actor_learning_rate") == "0.001");
    s.reset("actor_learning_rate");
    CHECK(s.get("actor_learning_rate") == "null");
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
    CHECK_THROWS_WITH_AS(s.set("advantage_from", "after_step"),
                         doctest::Contains("after_value_step"), Error);
    CHECK_THROWS_WITH_AS(s.set("value_for_targets", "never"), doctest::Contains("before_step"),
                         Error);
    CHECK_THROWS_WITH_AS(s.set("critic_loss", "mean"), doctest::Contains("average, sum"), Error);
    CHECK_THROWS_AS(s.set("actor_dropout", "1"), Error);
    CHECK_THROWS_AS(s.set("actor_dropout", "-0.1"), Error);
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

using Differences = std::map<std::string, std::string>;

// What a preset sets for a data set, as far as it differs from the algorithm's defaults.
Differences differences(const char* preset, const char* dataset) {
    const auto recipe = make_recipe("iql"), plain = make_recipe("iql");
    recipe->apply_preset(preset, dataset);
    Differences out;
    for (const std::string& name : recipe->settings().names()) {
        const std::string value = recipe->settings().get(name);
        if (value != plain->settings().get(name)) out[name] = value;
    }
    return out;
}

// `base` with more, or other, values.
Differences with(Differences base, const Differences& changes) {
    for (const auto& [name, value] : changes) base[name] = value;
    return base;
}

TEST_CASE("preset corl: the rows of CORL's configurations") {
    for (const char* dataset :
         {"halfcheetah-medium", "halfcheetah-medium-expert", "hopper-expert", "hopper-random",
          "hopper-full-replay", "walker2d-medium-replay", "maze2d-large-dense", "mine"}) {
        CAPTURE(std::string(dataset));
        CHECK(differences("corl", dataset).empty());
    }
    CHECK(differences("corl", "hopper-medium-expert") ==
          Differences{{"expectile", "0.5"}, {"temperature", "6"}});
    for (const char* dataset : {"hopper-medium", "hopper-medium-replay"}) {
        CHECK(differences("corl", dataset) == Differences{{"deterministic_policy", "true"},
                                                          {"polyak", "0.001"},
                                                          {"reward_transform", "return_range"}});
    }
    CHECK(differences("corl", "antmaze-medium-diverse") ==
          Differences{
              {"expectile", "0.9"}, {"temperature", "10"}, {"reward_transform", "minus_one"}});
    for (const char* dataset : {"pen-human", "door-cloned", "hammer-expert", "relocate-human"}) {
        CHECK(differences("corl", dataset) ==
              Differences{{"expectile", "0.8"}, {"actor_dropout", "0.1"}});
    }
}

TEST_CASE("preset paper: the authors' code and its rows") {
    const Differences base{{"value_for_targets", "after_step"},
                           {"advantage_from", "after_value_step"},
                           {"critic_loss", "sum"},
                           {"log_std_min", "-5"},
                           {"initializer", "orthogonal"},
                           {"normalize_observations", "false"},
                           {"action_clip", "0.99999"}};
    CHECK(differences("paper", "mine") == base);
    CHECK(differences("paper", "maze2d-umaze") == base);
    for (const char* dataset : {"halfcheetah-medium", "hopper-medium", "walker2d-medium-expert"}) {
        CHECK(differences("paper", dataset) ==
              with(base, {{"reward_transform", "trajectory_range"}}));
    }
    CHECK(differences("paper", "antmaze-large-play") ==
          with(base,
               {{"expectile", "0.9"}, {"temperature", "10"}, {"reward_transform", "minus_one"}}));
    for (const char* dataset :
         {"kitchen-mixed", "pen-human", "door-human", "hammer-cloned", "relocate-human"}) {
        CHECK(differences("paper", dataset) ==
              with(base, {{"temperature", "0.5"}, {"actor_dropout", "0.1"}}));
    }
}

TEST_CASE("preset tutorial: the same settings for every data set") {
    for (const char* dataset : {"hopper-medium", "antmaze-umaze", "mine"}) {
        CHECK(differences("tutorial", dataset) ==
              Differences{{"deterministic_policy", "true"},
                          {"temperature", "10"},
                          {"target_critics", "false"},
                          {"value_for_targets", "after_step"},
                          {"advantage_from", "after_all_steps"},
                          {"critic_loss", "sum"},
                          {"actor_learning_rate_schedule", "constant"},
                          {"normalize_observations", "false"}});
    }
}

TEST_CASE("a preset says which row it took, and leaves nothing of the last one") {
    const auto recipe = make_recipe("iql");
    const auto sentence = [&](const char* preset, const char* dataset) {
        return recipe->apply_preset(preset, dataset);
    };
    CHECK(recipe->presets() == std::vector<std::string>{"corl", "paper", "tutorial"});
    CHECK(sentence("corl", "hopper-medium-expert") ==
          "preset corl: settings of data set 'hopper-medium-expert' (row hopper-medium-expert)");
    CHECK(sentence("paper", "antmaze-umaze").find("(row antmaze-*)") != std::string::npos);
    CHECK(sentence("paper", "maze2d-umaze").find("no row for data set 'maze2d-umaze'") !=
          std::string::npos);
    CHECK(sentence("tutorial", "hopper-medium") ==
          "preset tutorial: the same settings for every data set");
    recipe->settings().set("discount", "0.5");
    recipe->settings().set("layer_sizes", R"({"v": [11, 32, 1]})");
    sentence("corl", "walker2d-medium");
    CHECK(recipe->settings().get("deterministic_policy") == "false");
    CHECK(recipe->settings().get("target_critics") == "true");
    CHECK(recipe->settings().get("discount") == "0.99");
    CHECK(recipe->settings().get("layer_sizes") == R"({"v":[11,32,1]})");
    CHECK_THROWS_WITH_AS(sentence("paperish", ""), doctest::Contains("corl, paper, tutorial"),
                         Error);
}

TEST_CASE("rows match whole names, and beginnings where they end in a star") {
    const algorithms::PresetRow row{{"hopper-medium", "pen-*"}, {}};
    CHECK(algorithms::matches(row, "hopper-medium"));
    CHECK(algorithms::matches(row, "pen-human"));
    CHECK_FALSE(algorithms::matches(row, "hopper-medium-replay"));
    CHECK_FALSE(algorithms::matches(row, "open-human"));
    CHECK_FALSE(algorithms::matches(row, ""));
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
