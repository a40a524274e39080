// The product of two matrices as the three linear kernels need it, in f32 on base/simd.h.
//
// A unit is kUnitRows x kPanel elements of the output. Its panel of the right factor is copied into
// a buffer on the stack, where a row of kPanel elements is contiguous; strips of kStrip output rows
// then live in registers while they run along the depth. Every output element is one chain of fma
// along the depth, whatever its place in a strip or panel: its bits do not depend on the number of
// rows or columns.
#pragma once

#include "base/simd.h"

namespace drydock::kernels {
inline namespace isa_avx2 {
namespace {

using simd::F32;
using simd::kLanes;

constexpr int64_t kStrip = 6, kPanel = 2 * kLanes;
constexpr int64_t kUnitRows = 22 * kStrip;
constexpr int64_t kDepth = 256;  // of the buffer: a panel of 16 KiB stays in the first cache

DRYDOCK_INLINE int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

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

// sums += a panel, over `depth` rows of the panel, for R rows and V vectors of columns.
template <int R, int V>
DRYDOCK_INLINE void multiply_strip(const Left& a, const float* panel, int64_t depth,
                                   F32 (&sums)[R][V]) {
    const float* p = a.data;
    for (int64_t k = 0; k < depth; ++k, p += a.depth, panel += kPanel) {
        F32 b[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) b[v] = simd::load(panel + v * kLanes);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
            const F32 x = simd::broadcast(p[r * a.row]);
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) sums[r][v] = simd::fma(x, b[v], sums[r][v]);
        }
    }
}

// One block of the depth, of which there may be several: between them sums wait in `partial`.
struct Block {
    const float* panel;
    float* partial;  // (kUnitRows, kPanel)
    int64_t depth;
    bool first, last;
};

// R rows of a unit, from its row `row`. `finish` stores n elements at row and column of the output.
template <int R, int V, class Finish>
DRYDOCK_INLINE void strip(const Left& a, const Block& block, const UnitRange& u, int64_t row,
                          const Finish& finish) {
    F32 sums[R][V];
    float* partial = block.partial + row * kPanel;
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
            sums[r][v] = block.first ? simd::zero() : simd::load(partial + r * kPanel + v * kLanes);
        }
    }
    multiply_strip<R, V>(a, block.panel, block.depth, sums);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
            if (block.last) {
                finish(u.row + row + r, u.column + v * kLanes,
                       smaller(kLanes, u.columns - v * kLanes), sums[r][v]);
            } else {
                simd::store(partial + r * kPanel + v * kLanes, sums[r][v]);
            }
        }
    }
}

template <int V, class Finish>
DRYDOCK_INLINE void strips(const Left& a, const Block& block, const UnitRange& u,
                           const Finish& finish) {
    for (int64_t row = 0; row < u.rows; row += kStrip) {
        const Left rows = {a.data + row * a.row, a.row, a.depth};
        switch (smaller(kStrip, u.rows - row)) {
            case 1:
                strip<1, V>(rows, block, u, row, finish);
                break;
            case 2:
                strip<2, V>(rows, block, u, row, finish);
                break;
            case 3:
                strip<3, V>(rows, block, u, row, finish);
                break;
            case 4:
                strip<4, V>(rows, block, u, row, finish);
                break;
            case 5:
                strip<5, V>(rows, block, u, row, finish);
                break;
            default:
                strip<6, V>(rows, block, u, row, finish);
                break;
        }
    }
}

// The unit `u` of a product of depth K. Runs once for K = 0 too: the sums are then 0.
template <class Pack, class Finish>
DRYDOCK_INLINE void product_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                                 const Finish& finish) {
    alignas(64) float panel[kDepth * kPanel];
    alignas(64) float partial[kUnitRows * kPanel];
    int64_t k = 0;
    do {
        const int64_t depth = smaller(kDepth, K - k);
        pack(panel, k, depth, u.column, u.columns);
        const Left from = {a.data + u.row * a.row + k * a.depth, a.row, a.depth};
        const Block block = {panel, partial, depth, k == 0, k + depth == K};
        if (u.columns > kLanes) {
            strips<2>(from, block, u, finish);
        } else {
            strips<1>(from, block, u, finish);
        }
        k += kDepth;
    } while (k < K);
}

}  // namespace
}  // namespace isa_avx2
}  // namespace drydock::kernels
