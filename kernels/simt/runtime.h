// What a test of kernels uses: device memory, the order in which threads run, and what the emulator
// found. One OS thread only; nothing here is part of the product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace drydock::kernels::simt {

// Order of the threads of a block, and of the blocks of a grid, from the next launch on. A block's
// thread runs until it has to wait; so every single order hides some missing barriers.
enum class Order : std::uint8_t { ascending, descending, shuffled };
void set_order(Order order, std::uint64_t seed = 0);

enum class Finding : std::uint8_t {
    launch,      // a launch that no device accepts
    divergence,  // a barrier or warp operation that its threads do not reach alike
    deadlock,    // every thread waits: text says who waits where
    race,        // race build only: two accesses that nothing orders, with both source lines
    overrun,     // a write past the end of a device allocation (builds without ASan)
};

struct Report {
    Finding finding;
    std::string text;  // one line for each fact
};

// What was found since the last call. At most a few dozen reports are kept.
std::vector<Report> take_reports();

namespace detail {
void* allocate(std::size_t bytes);
void release(void* p);
}  // namespace detail

// An array in device memory. Fresh memory holds 0xFF bytes, which is NaN as a float: reading what
// was never written shows in the result. Aligned to 256 bytes as cudaMalloc's.
template <class T>
class DeviceArray {
  public:
    explicit DeviceArray(std::size_t n)
        : n_(n), data_(static_cast<T*>(detail::allocate(n * sizeof(T)))) {}
    explicit DeviceArray(const std::vector<T>& host) : DeviceArray(host.size()) {
        if (n_ > 0) std::memcpy(data_, host.data(), n_ * sizeof(T));
    }
    DeviceArray(std::initializer_list<T> host) : DeviceArray(std::vector<T>(host)) {}
    ~DeviceArray() { detail::release(data_); }
    DeviceArray(const DeviceArray&) = delete;
    DeviceArray& operator=(const DeviceArray&) = delete;

    T* data() { return data_; }
    std::vector<T> host() const { return {data_, data_ + n_}; }

  private:
    std::size_t n_;
    T* data_;
};

}  // namespace drydock::kernels::simt
