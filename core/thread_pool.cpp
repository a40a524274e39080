#include "core/thread_pool.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <chrono>
#include <climits>
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

}  // namespace

// Spins for kSpin, then parks. Not std::atomic::wait, which yields the processor before it parks.
void ThreadPool::Word::wait(std::uint32_t seen) {
    const auto deadline = std::chrono::steady_clock::now() + kSpin;
    for (int i = 0; value.load(std::memory_order_seq_cst) == seen; ++i) {
        pause();
        if (i % 64 != 63 || std::chrono::steady_clock::now() < deadline) continue;
#if defined(__linux__)
        // Either this thread sees the new value, or who wrote it sees a parked thread: the system
        // compares once more before it parks.
        parked.fetch_add(1, std::memory_order_seq_cst);
        syscall(SYS_futex, &value, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
        parked.fetch_sub(1, std::memory_order_seq_cst);
#else
        value.wait(seen, std::memory_order_seq_cst);
#endif
    }
}

void ThreadPool::Word::wake() {
#if defined(__linux__)
    if (parked.load(std::memory_order_seq_cst) == 0) return;
    syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#else
    value.notify_all();
#endif
}

ThreadPool::ThreadPool(int threads)
    : parts_(std::make_unique<Part[]>(static_cast<std::size_t>(threads))) {
    try {
        for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
    } catch (const std::system_error&) {
        const std::size_t started = workers_.size() + 1;
        stop();
        throw Error("[threads] the system gave " + std::to_string(started) + " of " +
                    std::to_string(threads) + " threads; ask for fewer");
    }
    // What the system does to begin a thread must not fall into the first job.
    for (;;) {
        const std::uint32_t started = started_.value.load(std::memory_order_seq_cst);
        if (started == workers_.size()) return;
        started_.wait(started);
    }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
    stop_.store(true);
    epoch_.value.fetch_add(2);
    epoch_.wake();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::take_units(int thread) {
    const int count = threads();
    for (int k = 0; k < count; ++k) {
        Part& part = parts_[static_cast<std::size_t>((thread + k) % count)];
        for (;;) {
            // Read first: a part that is empty stays in every cache.
            if (part.next.load(std::memory_order_relaxed) >= part.end) break;
            const std::int64_t i = part.next.fetch_add(1, std::memory_order_relaxed);
            if (i >= part.end) break;
            function_(context_, i, i + 1);
        }
    }
}

void ThreadPool::work(int thread) {
    started_.value.fetch_add(1, std::memory_order_seq_cst);
    started_.wake();
    std::uint32_t seen = 0;
    for (;;) {
        epoch_.wait(seen);
        seen = epoch_.value.load(std::memory_order_seq_cst);
        if (stop_.load()) return;
        if (seen % 2 == 0) continue;
        active_.value.fetch_add(1, std::memory_order_seq_cst);
        if (epoch_.value.load(std::memory_order_seq_cst) == seen) take_units(thread);
        if (active_.value.fetch_sub(1, std::memory_order_seq_cst) == 1) active_.wake();
    }
}

void ThreadPool::run(std::int64_t units, Function function, const void* context) {
    if (workers_.empty() || units < 2) {
        if (units > 0) function(context, 0, units);
        return;
    }
    function_ = function;
    context_ = context;
    const std::int64_t count = threads();
    for (std::int64_t t = 0; t < count; ++t) {
        Part& part = parts_[static_cast<std::size_t>(t)];
        part.next.store(units * t / count, std::memory_order_relaxed);
        part.end = units * (t + 1) / count;
    }
    epoch_.value.fetch_add(1, std::memory_order_seq_cst);
    epoch_.wake();
    take_units(0);
    epoch_.value.fetch_add(1, std::memory_order_seq_cst);
    // Only workers that hold a unit are waited for. They are running or were preempted: when this
    // thread parks, they get its core where there are fewer cores than threads.
    for (;;) {
        const std::uint32_t active = active_.value.load(std::memory_order_seq_cst);
        if (active == 0) return;
        active_.wait(active);
    }
}

}  // namespace drydock
