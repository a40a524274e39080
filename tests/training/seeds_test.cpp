// Seeds trained as one program: each leaves what a run of its own would have left.
#include "training/seeds.h"

#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/same_run.h"
#include "tests/training/support.h"
#include "training/collect.h"
#include "training/run_tables.h"

namespace drydock {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::error_of;
using training::SeedsResult;
using training::TrainCallbacks;
using training::TrainOptions;

struct Workplace {
    testing::TemporaryFolder folder;
    std::string dataset = folder.file("pendulum-random-v0.hdf5");
    TrainOptions options = testing::small_options(dataset, folder.file("seeds"));

    Workplace() {
        data::write_d4rl(dataset, testing::pendulum_data());
        options.seed = 4;
        options.threads = 2;
    }

    std::string alone(std::uint64_t seed) {
        TrainOptions one = options;
        one.seed = seed;
        one.out = folder.file("alone-" + std::to_string(seed));
        training::train(one);
        return one.out;
    }
    std::string member(std::uint64_t seed) const {
        return options.out + "/seed-" + std::to_string(seed);
    }
};

TEST_CASE("seeds trained together are, bit for bit, the seeds trained alone") {
    for (const char* algorithm : {"iql", "td3bc", "bc"}) {
        CAPTURE(algorithm);
        Workplace w;
        w.options.algorithm = algorithm;
        if (w.options.algorithm == "bc") {
            w.options.settings[1].second = R"({"actor": [3, 16, 1]})";
        } else if (w.options.algorithm == "td3bc") {
            w.options.settings[1].second =
                R"({"q1": [4, 16, 1], "q2": [4, 16, 1], "actor": [3, 16, 1]})";
        }
        const SeedsResult result = training::train_seeds(w.options, 3);
        REQUIRE(result.seeds.size() == 3);
        CHECK_FALSE(result.stopped);
        REQUIRE(result.mean);
        REQUIRE(result.standard_error);
        double sum = 0;
        for (const training::SeedResult& seed : result.seeds) {
            CHECK(seed.error.empty());
            testing::check_same_run(w.member(seed.seed), w.alone(seed.seed));
            sum += *seed.result.last->score_mean;
        }
        CHECK(*result.mean == doctest::Approx(sum / 3));
        CHECK(read_bytes(w.member(4) + "/policy.safetensors") !=
              read_bytes(w.member(5) + "/policy.safetensors"));
        const auto json = nlohmann::json::parse(read_bytes(w.options.out + "/seeds.json"));
        CHECK(json["seeds"].size() == 3);
        CHECK(json["mean"] == *result.mean);
    }
}

TEST_CASE("seeds on data whose actions are choices are the seeds alone, and go on") {
    training::CollectOptions collect;
    collect.environment = "cartpole";
    collect.behaviour = "random";
    collect.episodes = 8;
    for (const char* algorithm : {"discrete-cql", "bc"}) {
        CAPTURE(algorithm);
        Workplace w;
        data::write_d4rl(w.options.dataset = w.folder.file("cartpole-random-v0.hdf5"),
                         training::collect(collect));
        w.options.algorithm = algorithm;
        w.options.environment = "cartpole";
        w.options.settings = {{"batch_size", "16"}};
        const SeedsResult result = training::train_seeds(w.options, 2);
        REQUIRE(result.seeds.size() == 2);
        for (const training::SeedResult& seed : result.seeds) {
            CHECK(seed.error.empty());
            testing::check_same_run(w.member(seed.seed), w.alone(seed.seed));
        }
        training::ResumeOptions further;
        further.folder = w.options.out;
        further.steps = 90;
        CHECK(training::resume_seeds(further).seeds[1].result.steps == 90);
    }
}

// Trains until update `step` was reported, then raises the flag that Ctrl-C raises.
void train_until(Workplace& w, std::int64_t step) {
    std::atomic<bool> stop{false};
    TrainCallbacks callbacks;
    callbacks.stop = &stop;
    callbacks.report_seconds = 0;
    callbacks.progress = [&](const training::Progress& p) { stop = p.step >= step; };
    CHECK(training::train_seeds(w.options, 3, callbacks).stopped);
}

TEST_CASE("seeds that were stopped go on together, those behind first") {
    Workplace w;
    train_until(w, 25);
    CHECK(training::seed_folders(w.options.out).size() == 3);
    // One goes ahead, and one loses its work since the beginning.
    training::resume({w.member(5), 40, {}, {}});
    fs::remove(w.member(6) + "/checkpoint.safetensors");
    training::ResumeOptions resume;
    resume.folder = w.options.out;
    resume.steps = 60;
    const SeedsResult result = training::resume_seeds(resume);
    CHECK_FALSE(result.stopped);
    for (const std::uint64_t seed : {4U, 6U})
        testing::check_same_run(w.member(seed), w.alone(seed));
    // The one that was longer for a while has an evaluation more, at its former end.
    CHECK(read_tensor_file(w.member(5) + "/checkpoint.safetensors")
              .tensor("parameters/q1.layers.0.weight")
              .bytes == read_tensor_file(w.alone(5) + "/checkpoint.safetensors")
                            .tensor("parameters/q1.layers.0.weight")
                            .bytes);
    // One of them can be resumed by itself.
    CHECK(training::resume({w.member(4), {}, {}, {}}).steps == 60);
}

TEST_CASE("a seed that fails leaves the others alone") {
    Workplace w;
    w.options.steps = 20;
    w.options.log_every = 10;
    training::train_seeds(w.options, 3);
    // The second seed's critic becomes infinite.
    const std::string path = w.member(5) + "/checkpoint.safetensors";
    TensorFile file = read_tensor_file(path);
    TensorData& bias = file.tensors.at("parameters/q1.layers.2.bias");
    const float huge = 1e38f;
    bias = TensorData::of({1}, std::span<const float>(&huge, 1));
    write_tensor_file(path, file);
    training::ResumeOptions resume;
    resume.folder = w.options.out;
    resume.steps = 60;
    std::string said;
    TrainCallbacks callbacks;
    callbacks.notice = [&](const std::string& text) { said += text + "\n"; };
    const SeedsResult result = training::resume_seeds(resume, callbacks);
    REQUIRE(result.seeds.size() == 3);
    CHECK(contains(result.seeds[1].error, "finite"));
    CHECK(contains(said, "seed 5 ended"));
    CHECK(result.seeds[0].result.steps == 60);
    CHECK(result.seeds[2].result.steps == 60);
    const auto score = [&](std::size_t k) { return *result.seeds[k].result.last->score_mean; };
    CHECK(*result.mean == doctest::Approx((score(0) + score(2)) / 2));
}

TEST_CASE("seeds that cannot begin, or do not belong together, are refused before anything runs") {
    Workplace w;
    CHECK(contains(error_of([&] { training::train_seeds(w.options, 0); }), "1 seed"));
    fs::create_directories(w.member(5) + "/mine");
    CHECK(contains(error_of([&] { training::train_seeds(w.options, 2); }), "seed-5"));
    CHECK_FALSE(fs::exists(w.member(4)));
    fs::remove_all(w.member(5));
    CHECK(contains(error_of([&] {
                       training::resume_seeds({w.options.out, {}, {}, {}});
                   }),
                   "there are none"));
    w.options.check_numerics = true;
    CHECK(contains(error_of([&] { training::train_seeds(w.options, 2); }), "one seed"));
    w.options.check_numerics = false;
    w.options.steps = 20;
    training::train_seeds(w.options, 1);
    TrainOptions other = w.options;
    other.settings.emplace_back("expectile", "0.9");
    other.seed = 5;
    other.out = w.member(5);
    training::train(other);
    CHECK(contains(error_of([&] {
                       training::resume_seeds({w.options.out, 30, {}, {}});
                   }),
                   "the seed alone"));
}

}  // namespace
}  // namespace drydock
