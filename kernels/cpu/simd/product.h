// The product of two matrices as the three linear kernels need it, in f32 on base/simd.h.
//
// A unit is kUnitRows x kPanel elements of the output. Its panel of the right factor is copied into
// a buffer on the stack, where a row of kPanel elements is contiguous; strips of kStrip output rows
// then live in registers while they run along the depth, and end in a second buffer, from which
// they are finished and stored. Every output element is one chain of fma along the depth, whatever
// its place in a strip or panel: its bits do not depend on the number of rows or columns.
#pragma once

#include "base/simd.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

constexpr int64_t kStrip = 6, kPanel = 2 * kLanes;
constexpr int64_t kUnitRows = 22 * kStrip;
constexpr int64_t kDepth = 256;  // of the buffer: a panel of 16 KiB stays in the first cache

DRYDOCK_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// The left factor: element (m, k) is data[m * row + k * depth].
struct Left {
    const float* data;
    int64_t row, depth;
};

// The part of an (M, N) output that one unit computes.
struct UnitRange {
    int64_t row, rows, column, columns;
};

DRYDOCK_INLINE int64_t product_units(int64_t M, int64_t N) {
    return (M + kUnitRows - 1) / kUnitRows * ((N + kPanel - 1) / kPanel);
}

DRYDOCK_INLINE UnitRange unit_range(int64_t unit, int64_t M, int64_t N) {
    const int64_t across = (N + kPanel - 1) / kPanel;
    const int64_t row = unit / across * kUnitRows, column = unit % across * kPanel;
    return {row, smaller(kUnitRows, M - row), column, smaller(kPanel, N - column)};
}

// Packing. A packer copies rows k, k + 1, … of the right factor's columns [column, column +
// columns) into the panel; columns that do not exist become 0, so that the strips need no masks.

// The right factor is stored as it is used: element (k, n) is data[k * ld + n].
struct PackRows {
    const float* data;
    int64_t ld;

    DRYDOCK_INLINE void operator()(float* panel, int64_t k, int64_t depth, int64_t column,
                                   int64_t columns) const {
        const float* p = data + k * ld + column;
        for (int64_t d = 0; d < depth; ++d, p += ld, panel += kPanel) {
            if (columns == kPanel) {
                simd::store(panel, simd::load(p));
                simd::store(panel + kLanes, simd::load(p + kLanes));
            } else {
                const int64_t low = smaller(columns, kLanes);
                simd::store(panel, simd::load_first(p, low));
                simd::store(panel + kLanes, simd::load_first(p + low, columns - low));
            }
        }
    }
};

// The right factor is stored transposed: element (k, n) is data[n * ld + k].
struct PackTransposed {
    const float* data;
    int64_t ld;

    DRYDOCK_INLINE void operator()(float* panel, int64_t k, int64_t depth, int64_t column,
                                   int64_t columns) const {
        for (int64_t n = 0; n < kPanel; n += kLanes) {
            for (int64_t d = 0; d < depth; d += kLanes) {
                const float* p = data + (column + n) * ld + k + d;
                F32 square[kLanes];
                for (int64_t i = 0; i < kLanes; ++i) {
                    const bool exists = n + i < columns;
                    square[i] = !exists               ? simd::zero()
                                : d + kLanes <= depth ? simd::load(p + i * ld)
                                                      : simd::load_first(p + i * ld, depth - d);
                }
                simd::transpose(square);
                for (int64_t i = 0; i < kLanes; ++i) {
                    simd::store(panel + (d + i) * kPanel + n, square[i]);
                }
            }
        }
    }
};

// sums += a panel for R rows and V vectors of columns, `depth` rows of the panel deep. `sums` has
// rows of kPanel elements; in the first block of the depth it is written without being read.
template <int R, int V>
void strip(const Left& a, const float* panel, int64_t depth, bool first, float* sums) {
    F32 sum[R][V];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
            sum[r][v] = first ? simd::zero() : simd::load(sums + r * kPanel + v * kLanes);
        }
    }
    const float* p = a.data;
    for (int64_t k = 0; k < depth; ++k, p += a.depth, panel += kPanel) {
        F32 b[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) b[v] = simd::load(panel + v * kLanes);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
            const F32 x = simd::broadcast(p[r * a.row]);
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) sum[r][v] = simd::fma(x, b[v], sum[r][v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) simd::store(sums + r * kPanel + v * kLanes, sum[r][v]);
    }
}

// The strips of up to kUnitRows rows.
template <int V>
void strips(const Left& a, int64_t rows, const float* panel, int64_t depth, bool first,
            float* sums) {
    for (int64_t row = 0; row < rows; row += kStrip, sums += kStrip * kPanel) {
        const Left from = {a.data + row * a.row, a.row, a.depth};
        switch (smaller(kStrip, rows - row)) {
            case 1:
                strip<1, V>(from, panel, depth, first, sums);
                break;
            case 2:
                strip<2, V>(from, panel, depth, first, sums);
                break;
            case 3:
                strip<3, V>(from, panel, depth, first, sums);
                break;
            case 4:
                strip<4, V>(from, panel, depth, first, sums);
                break;
            case 5:
                strip<5, V>(from, panel, depth, first, sums);
                break;
            default:
                strip<6, V>(from, panel, depth, first, sums);
                break;
        }
    }
}

// The unit `u` of a product of depth K: finish(row, column, n, sums) stores n <= kLanes sums at a
// place of the output. K = 0 gives sums of 0.
template <class Pack, class Finish>
DRYDOCK_INLINE void product_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                                 const Finish& finish) {
    alignas(64) float panel[kDepth * kPanel];
    alignas(64) float sums[kUnitRows * kPanel];
    int64_t k = 0;
    do {
        const int64_t depth = smaller(kDepth, K - k);
        pack(panel, k, depth, u.column, u.columns);
        const Left from = {a.data + u.row * a.row + k * a.depth, a.row, a.depth};
        (u.columns > kLanes ? strips<2> : strips<1>)(from, u.rows, panel, depth, k == 0, sums);
        k += kDepth;
    } while (k < K);
    for (int64_t row = 0; row < u.rows; ++row) {
        for (int64_t c = 0; c < u.columns; c += kLanes) {
            finish(u.row + row, u.column + c, smaller(kLanes, u.columns - c),
                   simd::load(sums + row * kPanel + c));
        }
    }
}

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
