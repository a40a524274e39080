// Decision Transformer's presets, by what they change.
#include <doctest/doctest.h>

#include <map>

#include "algorithms/algorithm.h"

namespace drydock::algorithms {
namespace {

using Differences = std::map<std::string, std::string>;

// What a preset says that preset corl without a row does not.
Differences differences(const std::string& preset, const std::string& dataset) {
    const auto base = make_recipe("dt"), other = make_recipe("dt");
    other->apply_preset(preset, dataset);
    Differences out;
    for (const std::string& name : base->settings().names()) {
        const std::string value = other->settings().get(name);
        if (value != base->settings().get(name)) out[name] = value;
    }
    return out;
}

const Differences kPaper{{"activation", "relu"}, {"embedding_initializer", "pytorch_default"},
                         {"loss_mean", "valid"}, {"normalize_over", "kept"},
                         {"pad_action", "-10"},  {"pad_observation", "raw_zero"},
                         {"padding", "left"},    {"qkv_initializer", "normal"},
                         {"timestep_std", "1"}};

Differences with(Differences all, const Differences& more) {
    for (const auto& [name, value] : more) all[name] = value;
    return all;
}

TEST_CASE("preset corl of dt: the rows of CORL's configurations") {
    CHECK(differences("corl", "mine").empty());
    const Differences large{{"batch_size", "4096"}, {"learning_rate", "0.0008"}};
    CHECK(differences("corl", "hopper-medium") == with(large, {{"target_returns", "3600,1800"}}));
    CHECK(differences("corl", "halfcheetah-medium-replay") ==
          with(large, {{"target_returns", "12000,6000"}}));
    CHECK(differences("corl", "pen-human") ==
          with(large, {{"target_returns", "3100,1550"}, {"reward_scale", "1"}}));
    CHECK(differences("corl", "antmaze-large-play") ==
          Differences{{"target_returns", "1,0.5"}, {"reward_scale", "1"}});
    CHECK(differences("corl", "antmaze-large-diverse") ==
          Differences{{"target_returns", "1,0.5,0.25,0.125,0.06,0.03"}, {"reward_scale", "1"}});
}

TEST_CASE("presets paper and tutorial of dt: the authors' code, and the page's sizes on it") {
    CHECK(differences("paper", "mine") == kPaper);
    CHECK(differences("paper", "walker2d-medium") ==
          with(kPaper, {{"target_returns", "5000,2500"}}));
    CHECK(differences("paper", "reacher2d-medium") ==
          with(kPaper,
               {{"target_returns", "76,40"}, {"context_length", "5"}, {"reward_scale", "0.1"}}));
    CHECK(differences("tutorial", "hopper-medium") ==
          with(kPaper,
               {{"layers", "6"}, {"heads", "4"}, {"discount", "0.99"}, {"gradient_clip", "1"}}));
}

TEST_CASE("the table of time steps has room for padding that counts on") {
    for (const auto& [preset, rows] : {std::pair{"corl", 1020}, std::pair{"paper", 1000}}) {
        const auto recipe = make_recipe("dt");
        recipe->apply_preset(preset, "");
        CHECK(recipe->windows()->last_timestep == rows - 1);
        CHECK(recipe->windows()->left == (rows == 1000));
        recipe->fit(3, 2);
        CHECK(recipe->settings().get("timestep_rows") == std::to_string(rows));
    }
}

}  // namespace
}  // namespace drydock::algorithms
