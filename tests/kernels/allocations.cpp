#include "tests/kernels/allocations.h"

#include <atomic>
#include <cerrno>

namespace {

std::atomic<std::size_t> count{0};

}  // namespace

#if defined(DRYDOCK_COUNT_ALLOCATIONS)

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t n) {
    ++count;
    return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
    ++count;
    return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
    ++count;
    return __libc_realloc(p, n);
}
void* memalign(std::size_t alignment, std::size_t n) {
    ++count;
    return __libc_memalign(alignment, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
    ++count;
    return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
    ++count;
    *p = __libc_memalign(alignment, n);
    return *p == nullptr ? ENOMEM : 0;
}

}  // extern "C"

#endif

namespace drydock::kernels::testing {

bool allocations_are_counted() {
#if defined(DRYDOCK_COUNT_ALLOCATIONS)
    return true;
#else
    return false;
#endif
}

std::size_t allocations() { return count; }

}  // namespace drydock::kernels::testing
