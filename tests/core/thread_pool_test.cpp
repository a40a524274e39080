#include "core/thread_pool.h"

#include <doctest/doctest.h>

#include <vector>

namespace drydock::test {
namespace {

TEST_CASE("every unit runs exactly once, job after job") {
    for (const int threads : {1, 2, 7}) {
        ThreadPool pool(threads);
        CHECK(pool.threads() == threads);
        std::vector<int> hits(1000, 0);
        const auto count = [](const void* context, std::int64_t first, std::int64_t last) {
            auto* h = static_cast<int*>(const_cast<void*>(context));
            for (std::int64_t i = first; i < last; ++i) ++h[i];
        };
        for (int job = 0; job < 500; ++job) pool.run(job % 37, count, hits.data());
        for (std::int64_t i = 0; i < 1000; ++i) {
            int want = 0;
            for (int job = 0; job < 500; ++job) want += job % 37 > i;
            CHECK(hits[static_cast<std::size_t>(i)] == want);
        }
    }
}

}  // namespace
}  // namespace drydock::test
