// How the CPU's elementwise kernels walk over their operands. No standard header with inline
// functions, everything always inlined: files with instruction set flags use it too.
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "kernels/api/elementwise.h"

namespace drydock::kernels {

DRYDOCK_INLINE constexpr int64_t elements_of(const MapShape& s) {
    return s.dims[0] * s.dims[1] * s.dims[2] * s.dims[3];
}

// A map over K operands (the output is one of them) with dimensions merged where all strides allow.
template <int K>
struct Walk {
    int rank = 0;
    int64_t dims[kMaxRank] = {1};
    int64_t strides[K][kMaxRank] = {};

    DRYDOCK_INLINE Walk(const MapShape& shape, const int64_t* const (&operands)[K]) {
        for (int d = 0; d < kMaxRank; ++d) {
            if (shape.dims[d] == 1) continue;
            const bool merge = rank > 0 && merges(shape.dims[d], operands, d);
            if (!merge) ++rank;
            dims[rank - 1] = merge ? dims[rank - 1] * shape.dims[d] : shape.dims[d];
            for (int k = 0; k < K; ++k) strides[k][rank - 1] = operands[k][d];
        }
        if (rank == 0) rank = 1;
    }

    DRYDOCK_INLINE bool merges(int64_t size, const int64_t* const (&operands)[K], int d) const {
        for (int k = 0; k < K; ++k) {
            if (strides[k][rank - 1] != size * operands[k][d]) return false;
        }
        return true;
    }

    // Calls body(offsets, count) for each run of the innermost dimension within the elements
    // [first, last) of the flattened map.
    template <class F>
    DRYDOCK_INLINE void for_runs(int64_t first, int64_t last, const F& body) const {
        if (first >= last) return;
        int64_t at[kMaxRank], offsets[K] = {};
        int64_t rest = first;
        for (int d = rank - 1; d >= 0; --d) {
            at[d] = rest % dims[d];
            rest /= dims[d];
            for (int k = 0; k < K; ++k) offsets[k] += at[d] * strides[k][d];
        }
        for (int64_t i = first; i < last;) {
            const int64_t left = dims[rank - 1] - at[rank - 1];
            const int64_t count = left < last - i ? left : last - i;
            body(offsets, count);
            i += count;
            advance(at, offsets, count);
        }
    }

    // Moves `count` elements along the innermost dimension, at most to its end, and carries.
    DRYDOCK_INLINE void advance(int64_t (&at)[kMaxRank], int64_t (&offsets)[K],
                                int64_t count) const {
        for (int d = rank - 1; d >= 0; --d, count = 1) {
            at[d] += count;
            for (int k = 0; k < K; ++k) offsets[k] += count * strides[k][d];
            if (at[d] < dims[d]) return;
            for (int k = 0; k < K; ++k) offsets[k] -= at[d] * strides[k][d];
            at[d] = 0;
        }
    }

    DRYDOCK_INLINE int64_t stride(int k) const { return strides[k][rank - 1]; }
};

}  // namespace drydock::kernels
