#include "training/config.h"

#include <doctest/doctest.h>

#include "core/safetensors.h"
#include "tests/training/support.h"

namespace drydock {
namespace {

using training::TrainOptions;

std::string write(const testing::TemporaryFolder& folder, const std::string& text) {
    write_atomically(folder.file("config.toml"), std::as_bytes(std::span(text)));
    return folder.file("config.toml");
}

TEST_CASE("a written config reads back to the same run") {
    const testing::TemporaryFolder folder;
    TrainOptions options = testing::small_options("dir/hopper \"x\"-medium-v2.hdf5", "");
    options.seed = 12;
    options.settings.emplace_back("expectile", "0.123456789012345");
    options.settings.emplace_back("log_std_min", "-inf");
    options.settings.emplace_back("deterministic_policy", "true");
    auto recipe = training::resolve_recipe(options);
    const std::string text = training::config_text(options, *recipe);

    TrainOptions again = training::read_config(write(folder, text));
    auto same = training::resolve_recipe(again);
    CHECK(again.dataset == options.dataset);
    CHECK(again.seed == 12);
    CHECK(again.evaluate_every == options.evaluate_every);
    for (const std::string& name : recipe->settings().names()) {
        CHECK_MESSAGE(same->settings().get(name) == recipe->settings().get(name), name);
    }
    CHECK(training::config_text(again, *same) == text);
}

TEST_CASE("the preset's row comes from the file's name, settings win over it") {
    TrainOptions options;
    options.dataset = "data/hopper-medium-expert-v2.hdf5";
    options.steps = 500;
    std::string notice;
    auto recipe =
        training::resolve_recipe(options, [&](const std::string& text) { notice = text; });
    CHECK(testing::contains(notice, "hopper-medium-expert"));
    CHECK(recipe->settings().get("expectile") == "0.5");
    CHECK(recipe->settings().get("max_steps") == "500");
    options.settings = {{"expectile", "0.8"}, {"max_steps", "7"}};
    recipe = training::resolve_recipe(options);
    CHECK(recipe->settings().get("expectile") == "0.8");
    CHECK(recipe->settings().get("max_steps") == "7");
}

TEST_CASE("a bad config is refused with its key") {
    const testing::TemporaryFolder folder;
    const auto refuse = [&](const std::string& text) {
        return testing::error_of([&] { training::read_config(write(folder, text)); });
    };
    CHECK(testing::contains(refuse("stepz = 3"), "stepz"));
    CHECK(testing::contains(refuse("steps = \"3\""), "whole number"));
    CHECK(testing::contains(refuse("seed = -1"), "seed"));
    CHECK(testing::contains(refuse("steps = \n= 2"), "TOML"));
    CHECK(testing::contains(refuse("settings = 2"), "table"));
    CHECK_THROWS_AS(training::read_config(folder.file("absent.toml")), Error);
}

}  // namespace
}  // namespace drydock
