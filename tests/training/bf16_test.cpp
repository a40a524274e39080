// Runs in bf16: near the fp32 recordings, resumed to the bit, and refused where it makes no sense.
#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/same_run.h"
#include "tests/training/support.h"
#include "training/config.h"
#include "training/trace.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;

training::TraceReport verify_in_bf16(const std::string& name, const std::string& isa,
                                     std::optional<double> tolerance = {}) {
    training::TraceOptions options;
    options.isa = isa;
    options.precision = kernels::Precision::bf16;
    options.tolerance = tolerance;
    return training::verify_trace(std::string(DRYDOCK_TRACES) + "/" + name + ".safetensors",
                                  options);
}

TEST_CASE("updates in bf16 stay within the stated distance of the fp32 recordings") {
    for (const char* name : {"iql_gaussian", "iql_deterministic", "td3bc", "bc", "cql", "dt"}) {
        for (const char* isa : {"", "portable"}) {
            INFO("trace ", std::string(name), " isa ", std::string(isa));
            const training::TraceReport report = verify_in_bf16(name, isa);
            CHECK(report.passed);
            REQUIRE(report.replays.size() == 1);
            CHECK(report.replays[0].precision == "bf16");
            CHECK_FALSE(verify_in_bf16(name, isa, 1e-5).passed);
        }
    }
}

struct Workplace {
    testing::TemporaryFolder folder;
    std::string dataset = folder.file("pendulum-random-v0.hdf5");
    training::TrainOptions options = testing::small_options(dataset, folder.file("run"));

    Workplace() {
        data::write_d4rl(dataset, testing::pendulum_data());
        options.precision = "bf16";
    }
};

TEST_CASE("a run in bf16 that is stopped and goes on equals an uninterrupted one bit for bit") {
    Workplace w;
    training::TrainOptions whole = w.options;
    whole.out = w.folder.file("whole");
    training::train(whole);
    std::atomic<bool> stop{false};
    training::TrainCallbacks callbacks;
    callbacks.stop = &stop;
    callbacks.report_seconds = 0;
    callbacks.progress = [&](const training::Progress& p) { stop = p.step >= 31; };
    CHECK(training::train(w.options, callbacks).stopped);
    CHECK_FALSE(training::resume({w.options.out, {}, {}, {}}).stopped);
    testing::check_same_run(w.options.out, whole.out);
    const auto bytes = read_bytes(whole.out + "/result.json");
    const auto result = nlohmann::json::parse(bytes);
    CHECK(result["precision"] == "bf16");

    // What it ends in is not what fp32 ends in.
    training::TrainOptions full = whole;
    full.precision = "fp32";
    full.out = w.folder.file("full");
    training::train(full);
    CHECK(read_bytes(full.out + "/policy.safetensors") !=
          read_bytes(whole.out + "/policy.safetensors"));
}

TEST_CASE("a run does not change its precision") {
    Workplace w;
    training::train(w.options);
    const std::string path = w.options.out + "/config.toml";
    const auto bytes = read_bytes(path);
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t at = text.find("bf16");
    REQUIRE(at != std::string::npos);
    text.replace(at, 4, "fp32");
    write_atomically(path, std::as_bytes(std::span(text)));
    CHECK(contains(error_of([&] {
                       training::resume({w.options.out, {}, {}, {}});
                   }),
                   "precision bf16 as in the checkpoint"));
}

TEST_CASE("other precisions are refused by name") {
    Workplace w;
    for (const char* name : {"fp64", "fp16", ""}) {
        w.options.precision = name;
        CHECK(contains(error_of([&] { training::train(w.options); }),
                       "expected precision fp32 or bf16"));
    }
}

}  // namespace
}  // namespace drydock
