// Counter-based random numbers: element i of a stream at step s is a pure function of (seed,
// stream, s, i), see base/philox.h. Integers and uniforms agree bit for bit on every device.
#pragma once

#include "kernels/api/hyper.h"

namespace drydock::kernels {

enum class Distribution : std::uint8_t {
    uniform,   // low + (high - low) u, u in [0, 1); low and high - low rounded to dtype, no fma
    normal,    // mean 0, deviation 1, by Box and Muller from two uniforms
    row_index  // i64 in [0, counters->dataset_size)
};

struct RandomFill {
    DType dtype;  // f32 or f64; i64 for row_index
    Distribution distribution;
    double low, high;  // uniform only
    std::uint64_t stream;
    const Counters* counters;
    std::int64_t n;
    void* out;               // (n): elements begin, begin + 1, ... of the stream
    std::int64_t begin = 0;  // a multiple of four, the numbers of one block
};

}  // namespace drydock::kernels
