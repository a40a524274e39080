// Every algorithm and preset trains, scores and leaves a run that can be repeated.
#include <doctest/doctest.h>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/support.h"
#include "training/config.h"
#include "training/trainer.h"

namespace drydock {
namespace {

using training::TrainOptions;

TrainOptions options_for(const std::string& algorithm, const std::string& preset,
                         const std::string& dataset, const std::string& out) {
    TrainOptions options = testing::small_options(dataset, out);
    options.algorithm = algorithm;
    options.preset = preset;
    if (algorithm == "bc") {
        options.settings = {{"batch_size", "16"}, {"layer_sizes", R"({"actor": [3, 16, 16, 1]})"}};
    }
    if (algorithm == "cql") {
        const bool tutorial = preset == "tutorial";
        options.settings = {
            {"batch_size", "16"},
            {"layer_sizes", tutorial
                                ? R"({"q1": [4, 16, 1]})"
                                : R"({"q1": [4, 16, 1], "q2": [4, 16, 1], "actor": [3, 16, 2]})"}};
    }
    if (algorithm == "discrete-cql") {
        options.environment = "cartpole";
        options.settings = {{"batch_size", "16"}};
    }
    if (algorithm == "dt") {
        options.settings = {{"batch_size", "4"},
                            {"layers", "1"},
                            {"heads", "2"},
                            {"embedding_dim", "8"},
                            {"context_length", "4"}};
    }
    if (algorithm == "td3bc") {
        options.settings = {
            {"batch_size", "16"},
            {"layer_sizes", R"({"q1": [4, 16, 1], "q2": [4, 16, 1], "actor": [3, 16, 1]})"}};
    }
    return options;
}

TensorFile checkpoint(const std::string& run) {
    return read_tensor_file(run + "/checkpoint.safetensors");
}

TEST_CASE("every preset of every algorithm trains, and its config.toml trains to the same bits") {
    const testing::TemporaryFolder folder;
    const std::string dataset = folder.file("pendulum-random-v0.hdf5");
    data::write_d4rl(dataset, testing::pendulum_data());
    const std::string choices = folder.file("cartpole-random-v0.hdf5");
    training::CollectOptions collect;
    collect.environment = "cartpole";
    collect.behaviour = "random";
    collect.episodes = 5;
    data::write_d4rl(choices, training::collect(collect));
    for (const std::string& algorithm : algorithms::list_algorithms()) {
        for (const std::string& preset : algorithms::make_recipe(algorithm)->presets()) {
            CAPTURE(algorithm);
            CAPTURE(preset);
            const std::string first = folder.file(algorithm + preset), second = first + "-again";
            TrainOptions options = options_for(
                algorithm, preset, algorithm == "discrete-cql" ? choices : dataset, first);
            if (preset == "paper" && algorithm == "iql") {
                options.settings.emplace_back("actor_dropout", "0.1");
            }
            const training::TrainResult result = training::train(options);
            REQUIRE(result.last);
            CHECK(result.steps == 60);

            TrainOptions again = training::read_config(first + "/config.toml");
            CHECK(again.preset == preset);
            again.out = second;
            training::train(again);
            const TensorFile a = checkpoint(first), b = checkpoint(second);
            REQUIRE(a.tensors.size() == b.tensors.size());
            for (const auto& [name, tensor] : a.tensors) {
                const std::string text = name;
                CHECK_MESSAGE(tensor.bytes == b.tensor(text).bytes, text);
            }
        }
    }
}

TEST_CASE("a run has target critics only where the algorithm does") {
    const testing::TemporaryFolder folder;
    const std::string dataset = folder.file("pendulum-random-v0.hdf5");
    data::write_d4rl(dataset, testing::pendulum_data());
    const auto has_targets = [&](const std::string& algorithm, const std::string& preset) {
        const std::string out = folder.file(algorithm + preset);
        training::train(options_for(algorithm, preset, dataset, out));
        const TensorFile file = checkpoint(out);
        return std::any_of(file.tensors.begin(), file.tensors.end(), [](const auto& tensor) {
            return testing::contains(tensor.first, "target");
        });
    };
    CHECK(has_targets("iql", "paper"));
    CHECK(!has_targets("iql", "tutorial"));
    CHECK(!has_targets("bc", "corl"));
    CHECK(has_targets("td3bc", "corl"));
}

TEST_CASE("BC of an expert acts nearly as well as the expert") {
    const testing::TemporaryFolder folder;
    const std::string dataset = folder.file("pendulum-expert-v0.hdf5");
    training::CollectOptions collect;
    collect.environment = "pendulum";
    collect.behaviour = "expert";
    collect.episodes = 60;
    collect.threads = 1;
    data::write_d4rl(dataset, training::collect(collect));
    TrainOptions options = options_for("bc", "corl", dataset, folder.file("run"));
    options.steps = 10000;
    options.evaluate_every = 0;
    options.checkpoint_every = 0;
    options.episodes = 20;
    options.settings = {{"batch_size", "64"},
                        {"learning_rate", "2e-3"},
                        {"learning_rate_schedule", "cosine"},
                        {"layer_sizes", R"({"actor": [3, 32, 32, 1]})"}};
    const training::TrainResult result = training::train(options);
    REQUIRE(result.last);
    CHECK(result.last->return_mean > -250);  // the expert: about -151; random actions: below -1100
}

}  // namespace
}  // namespace drydock
