#include "training/collect.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/philox.h"
#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/support.h"
#include "training/export.h"
#include "training/loaded_policy.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;
using training::collect;
using training::collect_episodes;
using training::Collected;
using training::CollectOptions;

CollectOptions pendulum(std::int64_t episodes, std::int64_t steps, int threads) {
    CollectOptions options;
    options.environment = "pendulum";
    options.behaviour = "mixed";
    options.episodes = episodes;
    options.steps = steps;
    options.threads = threads;
    return options;
}

// A policy file of small networks with their first values, and calls that let it act.
struct Policy {
    testing::TemporaryFolder folder;
    std::string path = folder.file("policy.safetensors");

    // With `overflows`, infinities of both signs meet in the output layer.
    explicit Policy(bool overflows = false) {
        testing::SmallRun run;
        TensorFile file =
            training::make_policy_file(*run.session, run.data, {"iql", "corl", "", 7, {}});
        if (overflows) {
            fill(file.tensors["layers.0.bias"], 100.0f);
            fill(file.tensors["layers.1.weight"], 3e38f);
            file.metadata.erase("sha256_data");
        }
        write_tensor_file(path, file);
    }

    static void fill(TensorData& tensor, float value) {
        const std::vector<float> values(static_cast<std::size_t>(tensor.size()), value);
        tensor = TensorData::of(tensor.shape, std::span<const float>(values));
    }

    CollectOptions options(std::int64_t episodes, std::int64_t steps, int threads) const {
        CollectOptions o = pendulum(episodes, steps, threads);
        o.behaviour.clear();
        o.policy = path;
        return o;
    }
};

void check_same_rows(const data::Dataset& a, const data::Dataset& b) {
    CHECK(a.rows == b.rows);
    CHECK(a.observations == b.observations);
    CHECK(a.actions == b.actions);
    CHECK(a.rewards == b.rewards);
    CHECK(a.next_observations == b.next_observations);
    CHECK(a.terminals == b.terminals);
    CHECK(a.timeouts == b.timeouts);
}

void check_same(const data::Dataset& a, const data::Dataset& b) {
    check_same_rows(a, b);
    CHECK(a.attributes == b.attributes);
}

TEST_CASE("collected data do not depend on threads") {
    const data::Dataset one = collect(pendulum(6, 0, 1));
    CHECK(one.rows == 6 * 200);
    check_same(one, collect(pendulum(6, 0, 3)));
    check_same(collect(pendulum(0, 730, 1)), collect(pendulum(0, 730, 3)));
    const Policy policy;
    CollectOptions options = policy.options(7, 0, 1);
    options.noise = {0, 0.2};
    options.random_steps = 0.1;
    const data::Dataset alone = collect(options);
    options.threads = 3;
    check_same(alone, collect(options));
}

TEST_CASE("collected data are whole and say where they come from") {
    const testing::TemporaryFolder folder;
    data::Dataset dataset = collect(pendulum(0, 450, 2));
    CHECK(dataset.rows == 450);
    CHECK(dataset.attributes.at("env") == "pendulum");
    CHECK(dataset.attributes.at("behaviour") == "mixed");
    CHECK(dataset.attributes.at("seed") == "0");
    CHECK(dataset.attributes.at("steps") == "450");
    CHECK(dataset.attributes.count("drydock_version") == 1);
    for (const char* absent : {"policy", "noise", "random_steps", "episodes", "env_sha256"}) {
        CHECK_MESSAGE(dataset.attributes.count(absent) == 0, absent);
    }
    for (std::int64_t i = 0; i < 450; ++i) {
        const auto row = static_cast<std::size_t>(i);
        CHECK(dataset.timeouts[row] == (i % 200 == 199));
        if (i % 200 == 199 || i == 449) continue;
        CHECK(dataset.next_observations[3 * row] == dataset.observations[3 * row + 3]);
    }
    data::write_d4rl(folder.file("data.hdf5"), dataset);
    CHECK(data::read_d4rl(folder.file("data.hdf5")).rewards == dataset.rewards);
}

TEST_CASE("a policy file acts in the data as the runtime does") {
    const Policy file;
    CollectOptions options = file.options(3, 0, 2);
    const Collected collected = collect_episodes(options);
    const data::Dataset& dataset = collected.dataset;
    CHECK(collected.episodes == 3);
    CHECK(collected.fallbacks == 0);
    CHECK(!collected.stopped);
    REQUIRE(dataset.rows == 600);
    const auto policy = training::LoadedPolicy::from_file(file.path);
    training::PolicyContext context(policy);
    for (std::size_t i = 0; i < 600; ++i) {
        float action = 0;
        context.act(std::span(dataset.observations).subspan(3 * i, 3), std::span(&action, 1));
        CHECK(dataset.actions[i] == action);
    }
    CHECK(dataset.attributes.at("policy") == file.path);
    CHECK(dataset.attributes.at("policy_sha256").size() == 64);
    CHECK(dataset.attributes.count("behaviour") == 0);
    CHECK(dataset.attributes.at("episodes") == "3");
    // A run folder stands for its policy.
    options.policy = std::filesystem::path(file.path).parent_path().string();
    check_same(dataset, collect(options));
}

TEST_CASE("noise has the level of the episode and is cut at the bounds") {
    const Policy file;
    CollectOptions options = file.options(6, 0, 1);
    const data::Dataset clean = collect(options);
    options.noise = {0, 0.1, 0.6};
    const data::Dataset noisy = collect(options);
    CHECK(noisy.attributes.at("noise") == "0,0.1,0.6");
    const auto policy = training::LoadedPolicy::from_file(file.path);
    training::PolicyContext context(policy);
    std::int64_t at_bounds = 0;
    for (std::size_t i = 0; i < 1200; ++i) {
        const std::size_t episode = i / 200, step = i % 200;
        float action = 0;
        context.act(std::span(noisy.observations).subspan(3 * i, 3), std::span(&action, 1));
        const double draw = normal_f64(0, stream_id("collect_noise"), episode, step);
        const double want = double{action} + options.noise[episode % 3] * 2.0 * draw;
        CHECK(double{noisy.actions[i]} ==
              doctest::Approx(std::clamp(want, -2.0, 2.0)).epsilon(1e-6));
        at_bounds += std::fabs(noisy.actions[i]) == 2.0f;
        if (episode % 3 == 0) CHECK(noisy.actions[i] == clean.actions[i]);
    }
    CHECK(at_bounds > 0);
}

TEST_CASE("random steps are uniform and as many as asked for") {
    const Policy file;
    CollectOptions options = file.options(20, 0, 1);
    const auto policy = training::LoadedPolicy::from_file(file.path);
    training::PolicyContext context(policy);
    options.random_steps = 0.25;
    const data::Dataset dataset = collect(options);
    CHECK(dataset.attributes.at("random_steps") == "0.25");
    std::int64_t random = 0, low = 0;
    for (std::size_t i = 0; i < 4000; ++i) {
        float action = 0;
        context.act(std::span(dataset.observations).subspan(3 * i, 3), std::span(&action, 1));
        if (dataset.actions[i] == action) continue;
        ++random;
        low += dataset.actions[i] < -1.0f;
    }
    // Five deviations of the two binomials.
    CHECK(std::abs(random - 1000) < 137);
    CHECK(std::abs(low - random / 4) < 69);
    options.random_steps = 1;
    CollectOptions uniform = options;
    uniform.random_steps = 0;
    CHECK(collect(options).actions != collect(uniform).actions);
}

TEST_CASE("what is stored makes the same file again") {
    const Policy file;
    CollectOptions options = file.options(0, 500, 2);
    options.seed = 11;
    options.noise = {0.05, 0.333};
    options.random_steps = 0.125;
    const data::Dataset dataset = collect(options);
    CollectOptions again;
    again.environment = dataset.attributes.at("env");
    again.policy = dataset.attributes.at("policy");
    again.steps = std::stoll(dataset.attributes.at("steps"));
    again.seed = std::stoull(dataset.attributes.at("seed"));
    again.random_steps = std::stod(dataset.attributes.at("random_steps"));
    std::istringstream levels(dataset.attributes.at("noise"));
    for (std::string level; std::getline(levels, level, ',');) {
        again.noise.push_back(std::stod(level));
    }
    check_same(dataset, collect(again));
}

TEST_CASE("steps are as many as asked for where episodes end early") {
    CollectOptions options;
    options.environment = DRYDOCK_CART_PLUGIN;
    options.noise = {3};  // off the rail it goes
    options.steps = 5000;
    options.threads = 3;
    const Collected collected = collect_episodes(options);
    const data::Dataset& dataset = collected.dataset;
    CHECK(dataset.rows == 5000);
    CHECK(dataset.rewards.size() == 5000);
    CHECK(dataset.next_observations.size() == 10000);
    std::int64_t terminals = 0, timeouts = 0, ends = 0;
    for (std::size_t i = 0; i < 5000; ++i) {
        terminals += dataset.terminals[i];
        timeouts += dataset.timeouts[i];
        const bool end = dataset.terminals[i] || dataset.timeouts[i];
        ends += end;
        if (end || i == 4999) continue;
        CHECK(dataset.next_observations[2 * i] == dataset.observations[2 * i + 2]);
    }
    CHECK(terminals > 0);
    CHECK(timeouts > 0);
    const bool cut = !dataset.terminals[4999] && !dataset.timeouts[4999];
    CHECK(collected.episodes == ends + cut);
    CHECK(dataset.attributes.at("env") == "cart");
    CHECK(dataset.attributes.at("env_sha256").size() == 64);
    CHECK(dataset.attributes.at("behaviour") == "random");
    options.threads = 1;
    check_same(dataset, collect(options));
}

// The faulty library, with that fault while it lives, as a file of its own: what a library once
// said of itself holds.
class Faulty {
  public:
    explicit Faulty(const char* fault) {
        std::filesystem::copy_file(DRYDOCK_FAULTY_PLUGIN, path);
        setenv("DRYDOCK_FAULT", fault, 1);
    }
    ~Faulty() { unsetenv("DRYDOCK_FAULT"); }
    Faulty(const Faulty&) = delete;
    Faulty& operator=(const Faulty&) = delete;

    CollectOptions options(std::int64_t episodes, std::int64_t steps, int threads) const {
        CollectOptions o = pendulum(episodes, steps, threads);
        o.behaviour = "random";
        o.environment = path;
        return o;
    }

    testing::TemporaryFolder folder;
    const std::string path = folder.file("libfaulty.so");
};

TEST_CASE("an episode without an end gives the steps that were asked for") {
    const Faulty endless("endless");
    std::int64_t reported = 0;
    training::CollectCallbacks callbacks;
    callbacks.progress = [&](const training::CollectProgress& p) { reported = p.rows; };
    const Collected collected = collect_episodes(endless.options(0, 1000, 3), callbacks);
    CHECK(collected.dataset.rows == 1000);
    CHECK(collected.episodes == 1);
    CHECK(!collected.stopped);
    CHECK(reported == 1000);
    CHECK(collected.dataset.timeouts == std::vector<std::uint8_t>(1000, 0));
}

TEST_CASE("a stop keeps the rows of an unfinished episode where rows were asked for") {
    const Faulty endless("endless");
    std::atomic<bool> stop{false};
    training::CollectCallbacks callbacks;
    callbacks.stop = &stop;
    callbacks.progress = [&](const training::CollectProgress& p) { stop = p.rows >= 512; };
    const Collected rows = collect_episodes(endless.options(0, 1000000, 1), callbacks);
    CHECK(rows.stopped);
    CHECK(rows.dataset.rows == 512);
    CHECK(rows.dataset.rewards.size() == 512);
    CHECK(rows.episodes == 1);
    check_same_rows(rows.dataset, collect(endless.options(0, 512, 1)));
    stop = false;
    const Collected episodes = collect_episodes(endless.options(7, 0, 1), callbacks);
    CHECK(episodes.stopped);
    CHECK(episodes.dataset.rows == 0);
    CHECK(episodes.episodes == 0);
    // Several at once: what comes after the first that was cut is not the file's.
    stop = false;
    CollectOptions many = pendulum(0, 1000000, 3);
    callbacks.progress = [&](const training::CollectProgress& p) { stop = p.rows >= 2100; };
    const Collected some = collect_episodes(many, callbacks);
    CHECK(some.stopped);
    REQUIRE(some.dataset.rows > 0);
    CHECK(some.episodes == (some.dataset.rows + 199) / 200);
    check_same_rows(some.dataset, collect(pendulum(0, some.dataset.rows, 1)));
}

TEST_CASE("a stopped collection has the whole episodes before the stop") {
    std::atomic<bool> stop{false};
    training::CollectCallbacks callbacks;
    callbacks.stop = &stop;
    std::int64_t reported = 0;
    callbacks.progress = [&](const training::CollectProgress& p) {
        CHECK(p.rows >= reported);
        reported = p.rows;
        stop = p.episodes >= 4;
    };
    const Collected collected = collect_episodes(pendulum(1000000, 0, 2), callbacks);
    CHECK(collected.stopped);
    // No complete episode is lost, and each thread may have ended one more in the meantime.
    CHECK(collected.episodes >= 4);
    CHECK(collected.episodes <= 6);
    CHECK(collected.dataset.rows == 200 * collected.episodes);
    CHECK(collected.dataset.attributes.at("stopped_after_episodes") ==
          std::to_string(collected.episodes));
    data::Dataset plain = collect(pendulum(collected.episodes, 0, 1));
    CHECK(collected.dataset.actions == plain.actions);
    stop = true;
    const Collected nothing = collect_episodes(pendulum(0, 100000, 2), callbacks);
    CHECK(nothing.stopped);
    CHECK(nothing.episodes == 0);
    CHECK(nothing.dataset.rows == 0);
}

TEST_CASE("steps at which the policy fell back are counted") {
    const Policy file(true);
    const Collected all = collect_episodes(file.options(2, 0, 2));
    CHECK(all.fallbacks == 400);
    const Collected some = collect_episodes(file.options(0, 250, 2));
    CHECK(some.fallbacks == 250);
}

TEST_CASE("an environment that fails names the episode") {
    CollectOptions options;
    options.environment = DRYDOCK_FAULTY_PLUGIN;
    options.episodes = 50;
    options.threads = 3;
    setenv("DRYDOCK_FAULT", "step fails", 1);
    const std::string text = error_of([&] { collect(options); });
    unsetenv("DRYDOCK_FAULT");
    CHECK(contains(text, "episode 0: "));
    CHECK(contains(text, "the robot fell over"));
}

TEST_CASE("a failure leaves the whole episodes before it") {
    const Faulty faulty("episode 4 fails");
    const auto check = [](const Collected& collected) {
        CHECK(collected.stopped);
        CHECK(contains(collected.failure, "episode 4: "));
        CHECK(contains(collected.failure, "out of paint"));
        CHECK(collected.episodes == 4);
        CHECK(collected.dataset.rows == 20);
        CHECK(collected.dataset.rewards.size() == 20);
        CHECK(collected.dataset.attributes.at("stopped_after_episodes") == "4");
    };
    for (const int threads : {1, 3}) {
        check(collect_episodes(faulty.options(50, 0, threads)));
        check(collect_episodes(faulty.options(0, 500, threads)));
        CHECK(contains(error_of([&] { collect(faulty.options(50, 0, threads)); }), "out of paint"));
    }
    // What is not needed does not matter.
    CHECK(collect(faulty.options(0, 20, 3)).rows == 20);
}

TEST_CASE("collect refuses what it cannot do") {
    CHECK_THROWS_AS(collect(pendulum(0, 0, 1)), Error);
    CHECK_THROWS_AS(collect(pendulum(2, 2, 1)), Error);
    const auto refused = [](auto change, const std::string& text) {
        CollectOptions options = pendulum(1, 0, 1);
        change(options);
        const std::string error = error_of([&] { collect(options); });
        CAPTURE(error);
        CHECK(contains(error, text));
    };
    refused([](auto& o) { o.behaviour = "brilliant"; }, "brilliant");
    refused([](auto& o) { o.policy = "p.safetensors"; }, "got both, 'p.safetensors' and 'mixed'");
    refused([](auto& o) { o.noise = {0.1, -0.1}; }, "got -0.1");
    refused([](auto& o) { o.noise = {std::nan("")}; }, "got nan");
    refused([](auto& o) { o.random_steps = 1.5; }, "from 0 to 1, got 1.5");
    refused([](auto& o) { o.random_steps = std::nan(""); }, "from 0 to 1, got nan");
    const Policy file;
    refused(
        [&](auto& o) {
            o.behaviour.clear();
            o.environment = DRYDOCK_CART_PLUGIN;
            o.policy = file.path;
        },
        "expected a policy of 2 observations and 1 actions for environment 'cart', got 3 and 1");
}

}  // namespace
}  // namespace drydock
