// Reductions of a contiguous array over its middle dimension. The order of the additions is fixed
// by the sizes alone. Sums of f32 are accumulated so that the error does not grow linearly with
// `length` (pairwise, in blocks, or in double).
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

enum class Reduction : std::uint8_t { sum, mean, max, min, logsumexp };

struct Reduce {
    DType dtype;
    Reduction op;
    std::int64_t outer, length, inner;  // length >= 1
    const void* x;                      // (outer, length, inner)
    void* y;                            // (outer, inner)
};

}  // namespace drydock::kernels
