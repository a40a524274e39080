#include "training/parallel.h"

#include <doctest/doctest.h>

#include <stdexcept>

namespace drydock {
namespace {

using training::parallel_for;

// A thread of a system that has `left` of them to give.
class ScarceThread {
  public:
    static inline int left = 0;

    template <class Work>
    explicit ScarceThread(Work work) : thread_(make(work)) {}
    void join() { thread_.join(); }

  private:
    template <class Work>
    static std::thread make(Work work) {
        if (left == 0)
            throw std::system_error(
                std::make_error_code(std::errc::resource_unavailable_try_again));
        --left;
        return std::thread(work);
    }

    std::thread thread_;
};

TEST_CASE("fewer threads than asked for do all the work") {
    for (const int there_are : {0, 1, 2}) {
        CAPTURE(there_are);
        ScarceThread::left = there_are;
        std::vector<int> calls(100);
        std::atomic<int> workers{0};
        parallel_for<ScarceThread>(100, 8, [&] {
            ++workers;
            return [&](std::int64_t item) { ++calls[static_cast<std::size_t>(item)]; };
        });
        CHECK(calls == std::vector<int>(100, 1));
        CHECK(workers == there_are + 1);
        CHECK(ScarceThread::left == 0);
    }
}

TEST_CASE("the exception of the smallest item comes out") {
    const auto refuse = [](std::int64_t item) { throw std::runtime_error(std::to_string(item)); };
    CHECK_THROWS_WITH_AS(parallel_for(5, 1, [&] { return refuse; }), "0", std::runtime_error);
    CHECK_NOTHROW(parallel_for(0, 3, [&] { return refuse; }));
}

}  // namespace
}  // namespace drydock
