#include "core/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/error.h"

namespace drydock {

constexpr std::size_t kLeastCapacity = std::size_t{1} << 26;

Arena::Arena(std::size_t capacity) : capacity_(capacity) {
    void* p = MAP_FAILED;
    for (;; capacity_ /= 2) {
        p = mmap(nullptr, capacity_, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p != MAP_FAILED) break;
        if (capacity_ <= kLeastCapacity) {
            throw Error(fmt::format(
                "[arena] could not reserve {} bytes of addresses; raise the limit (ulimit -v)",
                capacity_));
        }
    }
    base_ = static_cast<std::byte*>(p);
    // Large pages where the system has them: every kernel walks through megabytes. It may refuse.
    madvise(base_, capacity_, MADV_HUGEPAGE);
}

Arena::~Arena() { munmap(base_, capacity_); }

void* Arena::allocate(std::size_t bytes) {
    const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (rounded < bytes || rounded > capacity_ - used_) {
        throw Error(
            fmt::format("[arena] {} bytes were asked for and {} of {} are left; take a smaller "
                        "data set or batch, or raise the address limit (ulimit -v)",
                        bytes, capacity_ - used_, capacity_));
    }
    std::byte* p = base_ + used_;
    used_ += rounded;
    return p;
}

}  // namespace drydock
