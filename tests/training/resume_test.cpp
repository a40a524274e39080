// Runs that are interrupted and go on: what they end in is what a run without interruption ends in.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/same_run.h"
#include "tests/training/support.h"
#include "training/run_tables.h"

namespace drydock {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::error_of;
using training::ResumeOptions;
using training::TrainCallbacks;
using training::TrainOptions;
using training::TrainResult;

constexpr const char* kTraces[] = {"checkpoint.safetensors", "policy.safetensors", "config.toml",
                                   "evaluations.csv"};

// An uninterrupted run to compare with, and room for others.
struct Workplace {
    testing::TemporaryFolder folder;
    std::string dataset = folder.file("pendulum-random-v0.hdf5");
    std::string whole = folder.file("whole");
    std::string out = folder.file("run");
    TrainOptions options = testing::small_options(dataset, out);

    Workplace() {
        data::write_d4rl(dataset, testing::pendulum_data());
        TrainOptions uninterrupted = options;
        uninterrupted.out = whole;
        training::train(uninterrupted);
    }

    ResumeOptions resume_options() const { return {out, {}, {}, {}}; }

    // Trains until update `step` was reported, then raises the flag that Ctrl-C raises.
    void train_until(std::int64_t step) {
        std::atomic<bool> stop{step == 0};
        TrainCallbacks callbacks;
        callbacks.stop = &stop;
        callbacks.report_seconds = 0;  // every update
        callbacks.progress = [&](const training::Progress& p) { stop = p.step >= step; };
        CHECK(training::train(options, callbacks).stopped);
    }

    void check_equal_to_whole() const {
        testing::check_same_run(out, whole);
        auto json = nlohmann::json::parse(read_bytes(out + "/result.json"));
        auto wanted_json = nlohmann::json::parse(read_bytes(whole + "/result.json"));
        json.erase("updates_per_second");
        wanted_json.erase("updates_per_second");
        CHECK(json == wanted_json);
        for (const fs::directory_entry& entry : fs::directory_iterator(out)) {
            CHECK_MESSAGE(entry.path().extension() != ".part", entry.path());
        }
    }
};

void write(const std::string& path, const std::string& text) {
    write_atomically(path, std::as_bytes(std::span(text)));
}

std::string text_of(const std::string& path) {
    const std::vector<std::byte> bytes = read_bytes(path);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("a stopped run that goes on equals an uninterrupted one bit for bit") {
    for (const std::int64_t step : {0, 1, 9, 29, 30, 31, 59}) {
        CAPTURE(step);
        Workplace w;
        w.train_until(step);
        const TrainResult result = training::resume(w.resume_options());
        CHECK(!result.stopped);
        w.check_equal_to_whole();
    }
}

TEST_CASE("a run can be stopped and resumed many times, on other numbers of threads") {
    Workplace w;
    w.train_until(1);
    for (int i = 0; i < 50; ++i) {
        std::atomic<bool> stop{false};
        TrainCallbacks callbacks;
        callbacks.stop = &stop;
        callbacks.report_seconds = 0;
        callbacks.progress = [&, n = 0](const training::Progress&) mutable { stop = ++n == 2; };
        ResumeOptions options = w.resume_options();
        options.threads = 1 + i % 2;
        if (!training::resume(options, callbacks).stopped) break;
    }
    ResumeOptions last = w.resume_options();
    last.threads = 1;  // which config.toml shows
    training::resume(last);
    CHECK(training::read_rows(w.out + "/metrics.csv").size() == 3);
    for (const char* name : {"policy.safetensors", "evaluations.csv"}) {
        CHECK_MESSAGE(read_bytes(w.out + "/" + name) == read_bytes(w.whole + "/" + name), name);
    }
}

// What SIGKILL can leave, piece by piece; tests/apps/kill_test kills real processes.
TEST_CASE("whatever a killed process left, the run goes on from its checkpoint") {
    for (const char* what : {"later rows", "torn rows", "no policy", "an older policy",
                             "half written files", "no tables"}) {
        CAPTURE(what);
        Workplace w;
        w.train_until(40);
        const std::string evaluations = text_of(w.out + "/evaluations.csv");
        const std::string metrics = text_of(w.out + "/metrics.csv");
        const std::string name = what;
        if (name == "later rows") {
            write(w.out + "/metrics.csv", metrics + "60,9.9,1,1,1\n");
            write(w.out + "/evaluations.csv", evaluations + "60,0,0,-1,200,5\n60,1,0,-1,200,5\n");
        } else if (name == "torn rows") {
            write(w.out + "/metrics.csv", metrics + "60,9.");
            write(w.out + "/evaluations.csv", evaluations + "60,0,0,-1");
        } else if (name == "no policy") {
            fs::remove(w.out + "/policy.safetensors");
        } else if (name == "an older policy") {
            write(w.out + "/policy.safetensors", "stale");
        } else if (name == "half written files") {
            write(w.out + "/checkpoint.safetensors.123.0.part", "half");
            write(w.out + "/policy.safetensors.123.1.part", "");
        } else {
            fs::remove(w.out + "/metrics.csv");
            fs::remove(w.out + "/evaluations.csv");
            training::resume(w.resume_options());  // those rows are lost, the run is not
            CHECK(read_bytes(w.out + "/checkpoint.safetensors") ==
                  read_bytes(w.whole + "/checkpoint.safetensors"));
            continue;
        }
        training::resume(w.resume_options());
        w.check_equal_to_whole();
    }
}

TEST_CASE("an evaluation that was cut short is taken again") {
    Workplace w;
    w.train_until(30);
    std::string rows = std::string(training::kEvaluationsHeader) + "\n";
    rows += training::read_rows(w.out + "/evaluations.csv").at(0) + "\n";
    write(w.out + "/evaluations.csv", rows);
    fs::remove(w.out + "/policy.safetensors");
    training::resume(w.resume_options());
    w.check_equal_to_whole();
}

TEST_CASE("a run that was ended before its first checkpoint begins anew") {
    Workplace w;
    fs::create_directory(w.out);
    write(w.out + "/config.toml", text_of(w.whole + "/config.toml"));
    write(w.out + "/metrics.csv", "step,seconds,v_lo");
    std::vector<std::string> notices;
    TrainCallbacks callbacks;
    callbacks.notice = [&](const std::string& text) { notices.push_back(text); };
    training::resume(w.resume_options(), callbacks);
    w.check_equal_to_whole();
    REQUIRE(!notices.empty());
    CHECK(contains(notices[0], "anew"));
}

TEST_CASE("a complete run stays as it is, and can be made longer") {
    Workplace w;
    training::train(w.options);
    const std::string result = text_of(w.out + "/result.json");
    training::resume(w.resume_options());
    w.check_equal_to_whole();
    CHECK(text_of(w.out + "/result.json") == result);

    ResumeOptions longer = w.resume_options();
    longer.steps = 90;
    CHECK(training::resume(longer).steps == 90);
    TrainOptions at_once = w.options;
    at_once.out = w.folder.file("at_once");
    at_once.steps = 90;
    at_once.settings.emplace_back("max_steps", "60");
    training::train(at_once);
    for (const char* name : kTraces) {
        CHECK_MESSAGE(read_bytes(w.out + "/" + name) == read_bytes(at_once.out + "/" + name), name);
    }
    longer.steps = 80;
    CHECK(contains(error_of([&] { training::resume(longer); }), "90"));
}

TEST_CASE("a run does not go on with other settings or data") {
    Workplace w;
    w.train_until(30);
    const std::string config = text_of(w.out + "/config.toml");
    const std::size_t at = config.find("expectile = 0.7");
    REQUIRE(at != std::string::npos);
    write(w.out + "/config.toml", std::string(config).replace(at, 15, "expectile = 0.8"));
    const std::string checkpoint = text_of(w.out + "/checkpoint.safetensors");
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "expectile 0.7"));
    // A setting that is gone would come from the preset.
    TrainOptions greedy = w.options;
    greedy.settings.emplace_back("expectile", "0.9");
    greedy.overwrite = true;
    training::train(greedy);
    std::string without = text_of(w.out + "/config.toml");
    without.erase(without.find("expectile = 0.9"), 15);
    write(w.out + "/config.toml", without);
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "expectile 0.9"));
    fs::remove_all(w.out);
    w.train_until(30);
    REQUIRE(text_of(w.out + "/checkpoint.safetensors") == checkpoint);
    // Nor with an environment of other bounds, or none.
    std::string elsewhere = config;
    elsewhere.replace(elsewhere.find("\"pendulum\""), 10, "\"\"");
    write(w.out + "/config.toml", elsewhere + "max_action = 2\n");
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "max_action"));
    write(w.out + "/config.toml", config);

    data::Dataset other = testing::pendulum_data();
    other.rewards[3] += 1.0f;
    data::write_d4rl(w.dataset, other);
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "SHA-256"));
    CHECK(text_of(w.out + "/checkpoint.safetensors") == checkpoint);
    CHECK(text_of(w.out + "/config.toml") == config);

    // The same data elsewhere will do.
    ResumeOptions moved = w.resume_options();
    moved.dataset = w.folder.file("moved-v0.hdf5");
    data::write_d4rl(*moved.dataset, testing::pendulum_data());
    CHECK(training::resume(moved).steps == 60);
}

TEST_CASE("a run that takes another's place and cannot begin leaves it as it was") {
    Workplace w;
    training::train(w.options);
    const std::string before = text_of(w.out + "/checkpoint.safetensors");
    const auto check_untouched = [&] {
        CHECK(text_of(w.out + "/checkpoint.safetensors") == before);
        training::resume(w.resume_options());
        CHECK(!fs::exists(w.out + "/.earlier"));
        w.check_equal_to_whole();
    };
    TrainOptions other = w.options;
    other.overwrite = true;
    other.seed = 5;
    other.dataset += ".absent";
    CHECK(contains(error_of([&] { training::train(other); }), "absent"));
    check_untouched();

    // Somebody trains in it.
    other.dataset = w.dataset;
    const int lock = ::open(w.out.c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(::flock(lock, LOCK_EX) == 0);
    CHECK(contains(error_of([&] { training::train(other); }), "another process"));
    ::close(lock);
    check_untouched();

    // Ctrl-C before it began.
    const std::atomic<bool> stop{true};
    TrainCallbacks callbacks;
    callbacks.stop = &stop;
    CHECK(contains(error_of([&] { training::train(other, callbacks); }), "as it was"));
    check_untouched();

    // Killed while the files were moved aside, or put back.
    fs::create_directory(w.out + "/.earlier");
    fs::rename(w.out + "/config.toml", w.out + "/.earlier/config.toml");
    fs::rename(w.out + "/metrics.csv", w.out + "/.earlier/metrics.csv");
    check_untouched();

    // Killed when the new run had its config: what is left of the old one goes.
    fs::create_directory(w.out + "/.earlier");
    write(w.out + "/.earlier/config.toml", "seed = 3");
    check_untouched();

    // Files of something else are not taken.
    fs::remove(w.out + "/config.toml");
    write(w.out + "/notes.txt", "mine");
    CHECK(contains(error_of([&] { training::train(other); }), "not a run's"));
    CHECK(text_of(w.out + "/notes.txt") == "mine");
}

TEST_CASE("what a kill before the first config leaves is no run, and in nobody's way") {
    Workplace w;
    fs::create_directory(w.out);
    write(w.out + "/config.toml.7.0.part", "seed");
    training::train(w.options);
    w.check_equal_to_whole();
}

TEST_CASE("rows and sums that another build left are refused, not mixed") {
    Workplace w;
    w.train_until(31);
    const std::string path = w.out + "/checkpoint.safetensors";
    TensorFile file = read_tensor_file(path);
    const std::vector<double> one = {1.0};
    file.tensors["run/metric_sums"] = TensorData::of({1}, std::span<const double>(one));
    write_tensor_file(path, file);
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "3 metrics"));
    file.metadata["metrics"] = "v_loss";
    write_tensor_file(path, file);
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "metrics"));
}

TEST_CASE("an evaluation is stopped too, and taken again") {
    Workplace w;
    w.options.episodes = 100000;
    w.options.evaluate_every = 30;
    std::atomic<bool> stop{false};
    TrainCallbacks callbacks;
    callbacks.stop = &stop;
    // Begun after the data were read: a sanitizer's allocator does not survive a fork beside
    // threads.
    std::thread user;
    callbacks.report_seconds = 0;
    callbacks.progress = [&](const training::Progress&) {
        if (user.joinable()) return;
        user = std::thread([&] {
            while (!fs::exists(w.out + "/policy.safetensors")) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            stop = true;
        });
    };
    CHECK(training::train(w.options, callbacks).stopped);
    user.join();
    CHECK(training::read_rows(w.out + "/evaluations.csv").empty());
    std::string config = text_of(w.out + "/config.toml");
    config.replace(config.find("episodes = 100000"), 17, "episodes = 2");
    write(w.out + "/config.toml", config);
    training::resume(w.resume_options());
    w.check_equal_to_whole();
}

TEST_CASE("a path that is not UTF-8 is refused at once") {
    Workplace w;
    w.options.dataset = w.folder.file("caf\xe9.hdf5");
    data::write_d4rl(w.options.dataset, testing::pendulum_data());
    CHECK(contains(error_of([&] { training::train(w.options); }), "UTF-8"));
    CHECK(!fs::exists(w.out));
}

TEST_CASE("only a folder with a run is resumed, and by one process at a time") {
    Workplace w;
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "drydock train"));
    fs::create_directory(w.out);
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "config.toml"));
    w.train_until(30);
    const int other = ::open(w.out.c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(::flock(other, LOCK_EX) == 0);
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "another process"));
    ::close(other);
    const std::string damaged = text_of(w.out + "/checkpoint.safetensors").substr(0, 1000);
    write(w.out + "/checkpoint.safetensors", damaged);
    CHECK(contains(error_of([&] { training::resume(w.resume_options()); }), "safetensors"));
    CHECK(text_of(w.out + "/checkpoint.safetensors") == damaged);
}

}  // namespace
}  // namespace drydock
