// Replays must not touch the heap: every allocation of the process is counted while they run.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <memory>

#include "tests/training/support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)

TEST_CASE("replay allocates nothing") {
    MESSAGE("skipped: sanitizers and other C libraries bring their own malloc");
}

#else

namespace {
std::atomic<long> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept {
    ++allocations;
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
    ++allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) noexcept {
    ++allocations;
    return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    ++allocations;
    return __libc_memalign(alignment, size);
}
}

namespace drydock {
namespace {

TEST_CASE("replay allocates nothing") {
    for (const int threads : {1, 2}) {
        testing::SmallRun run(threads);
        run.session->run(1);
        const long before = allocations;
        run.session->run(50);
        CHECK(allocations - before == 0);
    }
}

TEST_CASE("the counter of allocations counts") {
    const long before = allocations;
    auto number = std::make_unique<volatile int>(1);
    auto* aligned = new (std::align_val_t{64}) char[64];
    ::operator delete[](aligned, std::align_val_t{64});
    CHECK(allocations - before == 2);
}

}  // namespace
}  // namespace drydock

#endif
