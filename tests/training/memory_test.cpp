// What loading a data set takes: its columns and little else. Memory is counted where C++ asks for
// it, so the counter sees every vector, and no memory that another process or the disk holds.
#include <doctest/doctest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "data/d4rl.h"
#include "tests/training/support.h"

namespace {

std::atomic<std::int64_t> live_bytes{0}, peak_bytes{0};

void count(void* block, std::int64_t sign) {
    const std::int64_t now = live_bytes +=
        sign * static_cast<std::int64_t>(malloc_usable_size(block));
    for (std::int64_t peak = peak_bytes; now > peak;) {
        if (peak_bytes.compare_exchange_weak(peak, now)) return;
    }
}

}  // namespace

// Not inlined: the compiler would compare malloc with operator delete, and new with free.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* block = std::malloc(size == 0 ? 1 : size);
    if (block == nullptr) throw std::bad_alloc();
    count(block, 1);
    return block;
}

[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    void* block = std::malloc(size == 0 ? 1 : size);
    if (block != nullptr) count(block, 1);
    return block;
}

[[gnu::noinline]] void operator delete(void* block) noexcept {
    if (block != nullptr) count(block, -1);
    std::free(block);
}

[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
    if (block != nullptr) count(block, -1);
    std::free(block);
}

namespace drydock {
namespace {

constexpr std::int64_t kRows = 60000;
constexpr std::int64_t kObservation = 17;
constexpr std::int64_t kAction = 6;

// Episodes of 100 rows that end in timeouts, and here and there in a terminal.
data::Dataset made_up_data() {
    data::Dataset d;
    d.rows = kRows;
    d.observation_size = kObservation;
    d.action_size = kAction;
    for (std::int64_t i = 0; i < kRows; ++i) {
        for (std::int64_t j = 0; j < kObservation; ++j) {
            d.observations.push_back(static_cast<float>((i + 7 * j) % 501) / 64);
            d.next_observations.push_back(static_cast<float>((i + 1 + 7 * j) % 501) / 64);
        }
        for (std::int64_t j = 0; j < kAction; ++j) {
            d.actions.push_back(static_cast<float>((i + j) % 17 - 8) / 8);
        }
        d.rewards.push_back(static_cast<float>(i % 9));
        d.terminals.push_back(i % 1000 == 550);
        d.timeouts.push_back(i % 100 == 99);
    }
    return d;
}

struct Loaded {
    double columns = 0;  // bytes of the columns that training reads
    double peak = 0;     // bytes at once, from the file to the session's columns
};

std::unique_ptr<algorithms::Recipe> recipe_of(const std::string& algorithm) {
    auto recipe = algorithms::make_recipe(algorithm);
    recipe->settings().set("batch_size", "16");
    recipe->settings().set(
        "layer_sizes",
        algorithm == "bc"
            ? R"({"actor": [17, 8, 6]})"
            : R"({"q1": [23, 8, 1], "q2": [23, 8, 1], "v": [17, 8, 1], "actor": [17, 8, 6]})");
    return recipe;
}

Loaded load(const std::string& file, const std::string& view, const std::string& rewards,
            const std::string& algorithm = "iql") {
    auto recipe = recipe_of(algorithm);
    recipe->settings().set("transitions", view);
    recipe->settings().set("reward_transform", rewards);
    training::SessionOptions options;
    options.threads = 1;
    training::Session session(*recipe, kObservation, kAction, options);
    const std::int64_t before = live_bytes;
    peak_bytes = before;
    training::TrainingData data = training::load_training_data(file, *recipe, nullptr);
    const float* observations = data.transitions.observations.data();
    const auto count = static_cast<double>(data.transitions.count);
    session.add_data(std::move(data.transitions));
    // The session reads the memory into which the file was decoded.
    bool adopted = false;
    for (BufferId id = 0; id < session.state().buffer_count(); ++id) {
        adopted = adopted || session.state().buffer(id).data == observations;
    }
    CHECK(adopted);
    const std::int64_t width = (recipe->reads_outcomes() ? 2 : 1) * kObservation + kAction + 2;
    return {4 * count * static_cast<double>(width), static_cast<double>(peak_bytes - before)};
}

TEST_CASE("loading takes the memory of the columns and little more") {
    const testing::TemporaryFolder folder;
    const std::string file = folder.file("data.hdf5");
    data::write_d4rl(file, made_up_data());
    for (const char* view : {"qlearning_dataset", "corrected"}) {
        for (const char* rewards : {"none", "trajectory_range"}) {
            CAPTURE(std::string(view));
            const Loaded loaded = load(file, view, rewards);
            CHECK(loaded.columns > 9e6);
            CHECK(loaded.peak > 0.95 * loaded.columns);
            CHECK(loaded.peak < 1.15 * loaded.columns);
        }
    }
}

TEST_CASE("an algorithm that reads no next observations does not pay for them") {
    const testing::TemporaryFolder folder;
    const std::string file = folder.file("data.hdf5");
    data::write_d4rl(file, made_up_data());
    for (const char* view : {"qlearning_dataset", "corrected"}) {
        CAPTURE(std::string(view));
        // The transform would have to read them; here it changes nothing.
        const Loaded loaded = load(file, view, "trajectory_range", "bc");
        CHECK(loaded.columns > 5e6);
        CHECK(loaded.peak < 1.15 * loaded.columns);
    }
}

TEST_CASE("the counter of memory counts") {
    const std::int64_t before = live_bytes;
    {
        const std::vector<char> block(1 << 20);
        CHECK(live_bytes - before >= 1 << 20);
    }
    CHECK(live_bytes == before);
    CHECK(peak_bytes - before >= 1 << 20);
}

}  // namespace
}  // namespace drydock
