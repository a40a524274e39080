#include "core/thread_pool.h"

#include <chrono>
#include <string>
#include <system_error>

#include "base/error.h"

namespace drydock {
namespace {

constexpr std::chrono::microseconds kSpin{50};

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Waits for epoch to differ from `seen`: spins for kSpin, then parks.
std::uint64_t await_change(std::atomic<std::uint64_t>& epoch, std::uint64_t seen) {
    const auto deadline = std::chrono::steady_clock::now() + kSpin;
    for (int i = 0;; ++i) {
        const std::uint64_t now = epoch.load(std::memory_order_seq_cst);
        if (now != seen) return now;
        pause();
        if (i % 64 == 63 && std::chrono::steady_clock::now() > deadline) {
            epoch.wait(seen, std::memory_order_seq_cst);
        }
    }
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
    try {
        for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
        const std::size_t started = workers_.size() + 1;
        stop();
        throw Error("[threads] the system gave " + std::to_string(started) + " of " +
                    std::to_string(threads) + " threads; ask for fewer");
    }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
    stop_.store(true);
    epoch_.fetch_add(2);
    epoch_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::take_units() {
    for (;;) {
        const std::int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
        if (i >= units_) return;
        function_(context_, i, i + 1);
    }
}

void ThreadPool::work() {
    std::uint64_t seen = 0;
    for (;;) {
        seen = await_change(epoch_, seen);
        if (stop_.load()) return;
        if (seen % 2 == 0) continue;
        active_.fetch_add(1, std::memory_order_seq_cst);
        if (epoch_.load(std::memory_order_seq_cst) == seen) take_units();
        active_.fetch_sub(1, std::memory_order_seq_cst);
    }
}

void ThreadPool::run(std::int64_t units, Function function, const void* context) {
    if (workers_.empty() || units < 2) {
        if (units > 0) function(context, 0, units);
        return;
    }
    units_ = units;
    function_ = function;
    context_ = context;
    next_.store(0, std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    epoch_.notify_all();
    take_units();
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    // Only workers that hold a unit are waited for. They are running or were preempted: yield after
    // a while so that they get a core when there are fewer cores than threads.
    for (int i = 0; active_.load(std::memory_order_seq_cst) != 0; ++i) {
        if (i < 2000) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }
}

}  // namespace drydock
