#include "measure/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <fstream>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "measure/loops.h"
#include "measure/statistics.h"

namespace drydock::measure {
namespace {

constexpr int kRounds = 7;
constexpr double kRoundSeconds = 0.01;

// Runs work(thread) on all threads at once; none begins before all are there.
void together(int threads, const std::function<void(int)>& work) {
    std::atomic<int> waiting{threads};
    std::vector<std::thread> others;
    const auto begin = [&](int t) {
        waiting.fetch_sub(1);
        while (waiting.load() > 0) {
        }
        work(t);
    };
    for (int t = 1; t < threads; ++t) others.emplace_back(begin, t);
    begin(0);
    for (std::thread& t : others) t.join();
}

// The sum over threads of what `step` does per second in the best round: a limit is not what other
// programs leave of it. step(thread) does a piece of the work and returns its amount.
double rate(int threads, const std::function<double(int)>& step) {
    std::vector<std::vector<double>> rounds(static_cast<std::size_t>(threads));
    together(threads, [&](int t) {
        step(t);
        for (int round = 0; round < kRounds; ++round) {
            const double begin = now_seconds();
            double done = 0, now = begin;
            while (now - begin < kRoundSeconds) {
                done += step(t);
                now = now_seconds();
            }
            rounds[static_cast<std::size_t>(t)].push_back(done / (now - begin));
        }
    });
    double total = 0;
    for (const std::vector<double>& of_thread : rounds) total += summarize(of_thread).most;
    return total;
}

Loops loops_for(kernels::Isa isa) {
    // By name: what a set is called is all that this file needs to know of it.
    const std::string_view name = kernels::name_of(isa);
#if defined(DRYDOCK_HAS_X86_LOOPS)
    if (name == "avx2") return avx2_loops();
    if (name != "portable") return avx512_loops();
#endif
    if (name != "portable" && name != "neon") {
        throw Error(fmt::format("[measure] no loop was built for {}", name));
    }
    return portable_loops();
}

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.rfind("model name", 0) != 0) continue;
        const std::size_t colon = line.find(": ");
        if (colon != std::string::npos) return line.substr(colon + 2);
    }
    return "processor of unknown name";
}

}  // namespace

double fma_peak(kernels::Isa isa, int threads) {
    const Loops loops = loops_for(isa);
    constexpr std::int64_t kPiece = 4096;
    std::atomic<float> sink{0};
    return rate(threads, [&](int) {
        sink.store(loops.fma(kPiece, 0.999f, 0.001f), std::memory_order_relaxed);
        return static_cast<double>(kPiece * loops.flop_per_round);
    });
}

double bandwidth(kernels::Isa isa, std::int64_t bytes, int threads) {
    const Loops loops = loops_for(isa);
    const auto n = static_cast<std::size_t>(std::max<std::int64_t>(
        bytes / (2 * threads * static_cast<std::int64_t>(sizeof(float))), 1024));
    std::vector<std::vector<float>> a(static_cast<std::size_t>(threads)), b = a;
    for (auto& part : a) part.assign(n, 1.0f);
    for (auto& part : b) part.assign(n, 1.0f);
    return rate(threads, [&](int t) {
        float* to = a[static_cast<std::size_t>(t)].data();
        const float* from = b[static_cast<std::size_t>(t)].data();
        const std::size_t times = std::max<std::size_t>(1, 65536 / n);
        for (std::size_t k = 0; k < times; ++k) {
            loops.stream(static_cast<std::int64_t>(n), to, from, 1e-9f);
        }
        return static_cast<double>(3 * sizeof(float) * n * times);
    });
}

Limits::Limits(kernels::Isa isa, int threads)
    : isa_(isa), threads_(threads), peak_(measure::fma_peak(isa, threads)) {}

void Limits::measure_again() { peak_ = std::max(peak_, measure::fma_peak(isa_, threads_)); }

double Limits::bandwidth(std::int64_t bytes) {
    constexpr std::int64_t kLeast = std::int64_t{1} << 16, kMost = std::int64_t{1} << 28;
    const std::int64_t size = static_cast<std::int64_t>(
        std::bit_ceil(static_cast<std::uint64_t>(std::clamp(bytes, kLeast, kMost))));
    const auto found = bandwidth_.find(size);
    if (found != bandwidth_.end()) return found->second;
    return bandwidth_[size] = measure::bandwidth(isa_, size, threads_);
}

std::string machine(kernels::Isa isa) {
    return fmt::format("{}, {} cores, {}, GCC {}", processor(), std::thread::hardware_concurrency(),
                       kernels::name_of(isa), __VERSION__);
}

}  // namespace drydock::measure
