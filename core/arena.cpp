#include "core/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/error.h"

namespace drydock {

Arena::Arena(std::size_t capacity) : capacity_(capacity) {
    void* p = mmap(nullptr, capacity, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        throw Error(fmt::format("[arena] could not reserve {} bytes of addresses", capacity));
    }
    base_ = static_cast<std::byte*>(p);
}

Arena::~Arena() {
    munmap(base_, capacity_);
}

void* Arena::allocate(std::size_t bytes) {
    const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (rounded > capacity_ - used_) {
        throw Error(fmt::format("[arena] {} bytes asked for, {} left of {}", bytes,
                                capacity_ - used_, capacity_));
    }
    std::byte* p = base_ + used_;
    used_ += rounded;
    return p;
}

}  // namespace drydock
