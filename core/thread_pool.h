// The engine's own threads. Between two runs they are parked; inside one they spin briefly, so that
// the many short nodes of an update do not pay for a wake-up each.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace drydock {

class ThreadPool {
  public:
    using Function = void (*)(const void* context, std::int64_t first, std::int64_t last);

    // `threads` counts the calling thread: 1 starts none.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const { return static_cast<int>(workers_.size()) + 1; }

    // Calls function(context, i, i + 1) once for every i in [0, units), on any thread, and returns
    // when all are done. Each thread begins with a part of its own, always the same of so many
    // units: what one node wrote is then in the cache of the processor that reads it in the next.
    // Who is done helps the others. Not reentrant; one caller at a time.
    void run(std::int64_t units, Function function, const void* context);

  private:
    void stop();
    void work(int thread);
    void take_units(int thread);

    // A word on which threads wait for another value: they spin for a while, then the system parks
    // them. The system is called only to park and to wake one that is parked.
    struct alignas(64) Word {
        std::atomic<std::uint32_t> value{0};
        std::atomic<int> parked{0};

        void wait(std::uint32_t seen);
        void wake();
    };

    // A job is open while the epoch is odd. A worker announces itself in active_ and then looks at
    // the epoch again: either it sees that the job was closed, or the closing caller sees the
    // worker.
    Word epoch_;
    Word active_;
    Word started_;
    // Units [next, end) of a thread's part are free.
    struct alignas(64) Part {
        std::atomic<std::int64_t> next{0};
        std::int64_t end = 0;
    };
    std::unique_ptr<Part[]> parts_;  // of every thread; the caller's is the first
    std::atomic<bool> stop_{false};
    Function function_ = nullptr;
    const void* context_ = nullptr;
    std::vector<std::thread> workers_;
};

}  // namespace drydock
