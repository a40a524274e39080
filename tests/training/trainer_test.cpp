#include "training/trainer.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/support.h"
#include "training/config.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;
using training::TrainOptions;
using training::TrainResult;

struct Workplace {
    testing::TemporaryFolder folder;
    std::string dataset = folder.file("pendulum-random-v0.hdf5");
    std::string out = folder.file("run");
    TrainOptions options = testing::small_options(dataset, out);

    Workplace() { data::write_d4rl(dataset, testing::pendulum_data()); }
};

std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> lines;
    std::istringstream text(text_of(path));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
}

TEST_CASE("a run leaves its folder") {
    Workplace w;
    training::TrainCallbacks callbacks;
    std::vector<training::Progress> reports;
    callbacks.progress = [&](const training::Progress& p) { reports.push_back(p); };
    const TrainResult result = training::train(w.options, callbacks);
    CHECK(result.steps == 60);
    CHECK(!result.stopped);
    REQUIRE(result.last);

    const auto metrics = lines_of(w.out + "/metrics.csv");
    REQUIRE(metrics.size() == 4);
    CHECK(metrics[0] == "step,seconds,v_loss,q_loss,actor_loss,predicted_q,discounted_return");
    CHECK(metrics[1].rfind("20,", 0) == 0);
    const auto evaluations = lines_of(w.out + "/evaluations.csv");
    REQUIRE(evaluations.size() == 5);
    CHECK(evaluations[0] == "step,episode,seed,return,length,score");
    CHECK(evaluations[4].rfind("60,1,0,", 0) == 0);

    const auto json = nlohmann::json::parse(text_of(w.out + "/result.json"));
    for (const char* key :
         {"algorithm", "preset", "dataset", "dataset_sha256", "environment", "steps", "seed",
          "device", "isa", "precision", "threads", "updates_per_second", "score_last", "score_best",
          "return_last_mean", "return_last_std"}) {
        CHECK_MESSAGE(json.contains(key), key);
    }
    CHECK(json["steps"] == 60);
    CHECK(json["return_last_mean"].get<double>() == result.last->return_mean);

    REQUIRE(reports.size() >= 2);
    CHECK(reports.back().step == 60);
    CHECK(reports.back().evaluated);
    CHECK(reports.back().remaining_seconds == 0.0);
    CHECK(reports.back().metrics.size() == 3);
    CHECK(read_tensor_file(w.out + "/checkpoint.safetensors").tensor("counters/step").i64("step") ==
          std::vector<std::int64_t>{60});
}

TEST_CASE("the config of a run gives the same run again") {
    Workplace w;
    training::train(w.options);
    TrainOptions again = training::read_config(w.out + "/config.toml");
    again.out = w.folder.file("again");
    training::train(again);
    CHECK(read_bytes(w.out + "/policy.safetensors") ==
          read_bytes(again.out + "/policy.safetensors"));
    CHECK(text_of(w.out + "/evaluations.csv") == text_of(again.out + "/evaluations.csv"));
    CHECK(text_of(w.out + "/config.toml") == text_of(again.out + "/config.toml"));
}

TEST_CASE("how often is logged, saved and evaluated changes no parameter") {
    Workplace w;
    training::train(w.options);
    TrainOptions other = w.options;
    other.out = w.folder.file("other");
    other.log_every = 7;
    other.checkpoint_every = 0;
    other.evaluate_every = 0;
    other.threads = 2;
    training::train(other);
    const TensorFile a = read_tensor_file(w.out + "/checkpoint.safetensors");
    const TensorFile b = read_tensor_file(other.out + "/checkpoint.safetensors");
    for (const auto& [name, tensor] : a.tensors) {
        if (name.starts_with("run/")) continue;  // metrics since the last row
        CHECK_MESSAGE(tensor.bytes == b.tensor(name).bytes, name);
    }
    CHECK(lines_of(other.out + "/metrics.csv").size() == 10);
}

TEST_CASE("without an environment there is no score") {
    Workplace w;
    w.options.environment.clear();
    w.options.settings.emplace_back("max_action", "2");
    const TrainResult result = training::train(w.options);
    CHECK(!result.last);
    const auto json = nlohmann::json::parse(text_of(w.out + "/result.json"));
    CHECK(json["environment"].is_null());
    CHECK(json["score_last"].is_null());
    CHECK(json["return_last_mean"].is_null());
    CHECK(std::filesystem::exists(w.out + "/policy.safetensors"));
}

TEST_CASE("a folder with files in it is not touched, unless asked for") {
    Workplace w;
    w.options.steps = 10;
    training::train(w.options);
    const std::string before = text_of(w.out + "/result.json");
    w.options.seed = 5;
    CHECK(contains(error_of([&] { training::train(w.options); }), "empty"));
    CHECK(text_of(w.out + "/result.json") == before);
    w.options.overwrite = true;
    training::train(w.options);
    CHECK(text_of(w.out + "/result.json") != before);
}

TEST_CASE("the stop flag ends the run with its files written") {
    Workplace w;
    w.options.steps = 1000000000;
    std::atomic<bool> stop{false};
    training::TrainCallbacks callbacks;
    callbacks.stop = &stop;
    callbacks.progress = [&](const training::Progress& p) { stop = p.evaluated; };
    const TrainResult result = training::train(w.options, callbacks);
    CHECK(result.stopped);
    CHECK(result.steps == 30);
    CHECK(nlohmann::json::parse(text_of(w.out + "/result.json"))["stopped"] == true);
    CHECK(read_tensor_file(w.out + "/policy.safetensors").text("train_steps") == "30");
    CHECK(lines_of(w.out + "/metrics.csv").size() == 3);
}

TEST_CASE("a loss that is not finite ends the run and keeps the checkpoint") {
    Workplace w;
    w.options.settings.emplace_back("v_learning_rate", "1e30");
    w.options.checkpoint_every = 1;
    const std::string error = error_of([&] { training::train(w.options); });
    CHECK(contains(error, "v_loss"));
    CHECK(contains(error, "update"));
    CHECK(contains(error, "learning"));
    const TensorFile kept = read_tensor_file(w.out + "/checkpoint.safetensors");
    CHECK(kept.tensor("counters/step").i64("step")[0] >= 1);
    for (const auto& [name, tensor] : kept.tensors) {
        if (name.rfind("parameters/", 0) != 0) continue;
        for (const double x : tensor.to_f64()) CHECK(std::isfinite(x));
    }
}

TEST_CASE("check_numerics names the node") {
    Workplace w;
    w.options.settings.emplace_back("v_learning_rate", "1e30");
    w.options.check_numerics = true;
    CHECK(contains(error_of([&] { training::train(w.options); }), "node"));
}

TEST_CASE("wrong options are refused before anything is written") {
    Workplace w;
    const auto refuse = [&](auto change) {
        TrainOptions options = w.options;
        change(options);
        const std::string error = error_of([&] { training::train(options); });
        CHECK(!std::filesystem::exists(w.out));
        return error;
    };
    CHECK(contains(refuse([](TrainOptions& o) { o.algorithm = "sarsa"; }), "sarsa"));
    CHECK(contains(refuse([](TrainOptions& o) { o.preset = "best"; }), "best"));
    CHECK(contains(refuse([](TrainOptions& o) { o.environment = "moon"; }), "moon"));
    CHECK(contains(refuse([](TrainOptions& o) { o.device = "cuda"; }), "cuda"));
    CHECK(contains(refuse([](TrainOptions& o) { o.precision = "fp8"; }), "fp8"));
    CHECK(contains(refuse([](TrainOptions& o) { o.steps = 0; }), "step"));
    CHECK(contains(refuse([](TrainOptions& o) { o.dataset += ".absent"; }), "absent"));
    CHECK(contains(refuse([](TrainOptions& o) { o.settings.emplace_back("expectil", "1"); }),
                   "expectile"));
    CHECK(contains(refuse([](TrainOptions& o) { o.environment.clear(); }), "max_action"));
}

TEST_CASE("a profile is written where it was asked for") {
    Workplace w;
    w.options.steps = 5;
    w.options.profile = w.folder.file("profile.json");
    training::train(w.options);
    const auto json = nlohmann::json::parse(text_of(w.options.profile));
    CHECK(json["traceEvents"].size() > 100);
}

}  // namespace
}  // namespace drydock
