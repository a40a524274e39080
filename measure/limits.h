// What this machine can do at most, measured when it is asked for: multiply-adds and memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "kernels/cpu/table.h"

namespace drydock::measure {

// Multiply-adds per second of `threads` threads that run nothing else, in FLOP/s (a multiply-add is
// two). The best of several rounds of a few milliseconds, thread by thread.
double fma_peak(kernels::Isa isa, int threads);

// Bytes per second of a += f b over `bytes` bytes of memory that `threads` threads share, each its
// own part, over and over: with few bytes this is the speed of a cache. Two bytes read for one
// written.
double bandwidth(kernels::Isa isa, std::int64_t bytes, int threads);

// The limits of one run. Bandwidth is measured once for each power of two that is asked for.
class Limits {
  public:
    Limits(kernels::Isa isa, int threads);

    int threads() const { return threads_; }
    kernels::Isa isa() const { return isa_; }
    // Measured when this object was made. Call again at the end of a run and take the larger: a
    // processor may be slower while it is cold.
    double fma_peak() const { return peak_; }
    void measure_again();
    // At the speed of the memory that holds so many bytes: of the next power of two, within 64 KiB
    // and 256 MiB.
    double bandwidth(std::int64_t bytes);
    // Far more than the caches hold.
    double memory_bandwidth() { return bandwidth(std::int64_t{1} << 28); }

  private:
    kernels::Isa isa_;
    int threads_;
    double peak_;
    std::map<std::int64_t, double> bandwidth_;
};

// "AMD EPYC, 2 cores, avx2, GCC 12.2.0": what a table of results is headed by.
std::string machine(kernels::Isa isa);

}  // namespace drydock::measure
