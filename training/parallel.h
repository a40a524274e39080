// A loop over threads for work whose items do not depend on each other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace drydock::training {

// Calls worker(i) once for every i in [0, count), in any order, on `threads` threads (0: all
// cores). Each thread makes a worker of its own by make_worker(). Where the system has no more
// threads to give, those that there are do the work. After an exception no new item is begun, and
// the one of the smallest item is thrown again here. `Thread` is for tests.
template <class Thread = std::thread, class MakeWorker>
void parallel_for(std::int64_t count, int threads, MakeWorker make_worker) {
    if (threads <= 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    threads = static_cast<int>(std::min<std::int64_t>(threads, count));
    std::atomic<std::int64_t> next{0};
    std::mutex lock;
    std::exception_ptr failure;
    std::int64_t failed_item = count;
    const auto work = [&] {
        std::int64_t item = -1;
        try {
            auto worker = make_worker();
            while ((item = next.fetch_add(1)) < count) worker(item);
        } catch (...) {
            const std::lock_guard guard(lock);
            if (item < failed_item) {
                failed_item = item;
                failure = std::current_exception();
            }
            next.store(count);
        }
    };
    std::vector<Thread> others;
    others.reserve(static_cast<std::size_t>(std::max(0, threads - 1)));
    try {
        for (int i = 1; i < threads; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {
        // The items are taken one by one: fewer threads take them all, too.
    }
    if (threads > 0) work();
    for (Thread& other : others) other.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace drydock::training
