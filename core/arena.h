// Memory that never moves: an address range reserved once, backed by pages as it is used.
#pragma once

#include <cstddef>

namespace drydock {

constexpr std::size_t kAlignment =
    64;  // of every allocation, bytes: one cache line, one AVX-512 register

// A bump allocator over a reserved address range. Addresses stay valid until the arena is
// destroyed; nothing is ever freed singly. New memory is zero.
class Arena {
  public:
    // Reserves up to `capacity` bytes of addresses, less where the process may not have as many;
    // memory is taken only when it is touched.
    explicit Arena(std::size_t capacity);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // `bytes` zeroed bytes at kAlignment. Throws Error when the range is used up.
    void* allocate(std::size_t bytes);
    std::size_t capacity() const { return capacity_; }

  private:
    std::byte* base_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t used_ = 0;
};

}  // namespace drydock
