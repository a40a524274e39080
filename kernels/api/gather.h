// Reading and writing rows by index.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

// out[i] = table[indices[i]]. An index outside [0, rows) gives a row of NaN (0 for integers).
struct GatherRows {
    DType dtype;
    std::int64_t rows, width, ld_table;
    const void* table;  // (rows, width)
    std::int64_t n;
    const std::int64_t* indices;  // (n)
    void* out;                    // (n, width), contiguous
};

// table_gradient[r] = sum over i with indices[i] == r of d[i], in ascending order of i; rows that
// no index names become zero, and an index outside [0, rows) is passed over. The adjoint of
// GatherRows, without atomics.
struct ScatterAddRows {
    DType dtype;
    std::int64_t rows, width;
    std::int64_t n;
    const std::int64_t* indices;  // (n)
    const void* d;                // (n, width), contiguous
    void* table_gradient;         // (rows, width), contiguous
};

// out = table[counters->step]: replays recorded draws. A step outside [0, rows) gives NaN (0 for
// integers).
struct SelectRow {
    DType dtype;
    std::int64_t rows, width;
    const void* table;  // (rows, width), contiguous
    const struct Counters* counters;
    void* out;  // (width)
};

}  // namespace drydock::kernels
