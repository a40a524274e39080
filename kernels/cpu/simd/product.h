// The product of two matrices as the three linear kernels need it, in f32 on base/simd.h.
//
// A unit is a tile of the output. Block by block of the depth, a panel of the right factor is
// copied into a buffer on the stack, where a row of kPanel elements is contiguous; strips of kStrip
// output rows then live in registers while they run along the block. Between blocks they wait in a
// second buffer, and after the last one they are finished and stored. A left factor whose depth
// runs across the rows of memory is copied too, so that a strip finds its elements side by side.
//
// Every output element is one chain of multiply-adds along the depth, whatever its place in a
// strip, panel or unit: its bits do not depend on the number of rows or columns.
#pragma once

#include "base/simd.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

// In registers, 32 of them or 16: kStrip x kVectors sums, elements of the left factor and vectors
// of the panel. The portable page's multiply-add needs one more, so that there it pays to take the
// panel from memory.
#if defined(DRYDOCK_SIMD_AVX512)
constexpr int kStrip = 12, kVectors = 2;
#elif defined(DRYDOCK_SIMD_NEON)
constexpr int kStrip = 6, kVectors = 4;
#elif defined(DRYDOCK_SIMD_PORTABLE)
constexpr int kStrip = 3, kVectors = 4;
#else
constexpr int kStrip = 6, kVectors = 2;
#endif
constexpr int64_t kPanel = kVectors * kLanes;
constexpr int64_t kDepth = 256;  // of a block

DRYDOCK_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
DRYDOCK_INLINE constexpr int64_t quotient_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The left factor: element (m, k) is data[m * row + k * depth].
struct Left {
    const float* data;
    int64_t row, depth;
};

// The part of an (M, N) output that one unit computes.
struct UnitRange {
    int64_t row, rows, column, columns;
};

// How an (M, N) output is cut into units: from the sizes alone.
struct Units {
    int64_t M, N, rows, columns;

    DRYDOCK_INLINE int64_t count() const { return quotient_up(M, rows) * quotient_up(N, columns); }
    DRYDOCK_INLINE UnitRange range(int64_t unit) const {
        const int64_t across = quotient_up(N, columns);
        const int64_t row = unit / across * rows, column = unit % across * columns;
        return {row, smaller(rows, M - row), column, smaller(columns, N - column)};
    }
};

// The largest unit of each kind of product, for the buffers' sizes.
constexpr int64_t kTallRows = 264;                     // one panel wide
constexpr int64_t kWideRows = 72, kWideColumns = 128;  // with a packed left factor

// Units one panel wide. A panel is packed for every unit, so that units grow where there are rows
// enough for every thread to have some.
DRYDOCK_INLINE Units tall_units(int64_t M, int64_t N) {
    return {M, N, M < 2048 ? kTallRows / 2 : kTallRows, kPanel};
}
DRYDOCK_INLINE Units wide_units(int64_t M, int64_t N) { return {M, N, kWideRows, kWideColumns}; }

// Asks for the n elements that the next block will read where this one reads p: its rows lie too
// far apart for the processor to see the pattern.
DRYDOCK_INLINE void prefetch_block(const float* p, int64_t ld, int64_t n) {
    for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(p + kDepth * ld + i, 0, 2);
}

// Asks for the n elements at p, which the next strip will read or write.
DRYDOCK_INLINE void prefetch_line(const float* p, int64_t n, bool write) {
    for (int64_t i = 0; i < n; i += 16) {
        if (write) {
            __builtin_prefetch(p + i, 1, 3);
        } else {
            __builtin_prefetch(p + i, 0, 3);
        }
    }
}

// Packing the right factor. A packer copies rows k, k + 1, … of the right factor's columns [column,
// column + columns) into the panel; columns that do not exist become 0, so that the strips need no
// masks.

// The right factor is stored as it is used: element (k, n) is data[k * ld + n].
struct PackRows {
    const float* data;
    int64_t ld;
    int64_t depth_of_all;

    DRYDOCK_INLINE void operator()(float* panel, int64_t k, int64_t depth, int64_t column,
                                   int64_t columns) const {
        const float* p = data + k * ld + column;
        for (int64_t d = 0; d < depth; ++d, p += ld, panel += kPanel) {
            if (k + d + kDepth < depth_of_all) prefetch_block(p, ld, columns);
            for (int64_t n = 0; n < kPanel; n += kLanes) {
                const int64_t left = columns - n;
                simd::store(panel + n, left >= kLanes ? simd::load(p + n)
                                       : left > 0     ? simd::load_first(p + n, left)
                                                      : simd::zero());
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

// Copies rows [row, row + rows) of a left factor with row 1, `depth` steps from k on, so that a
// strip's kStrip elements of one step lie together; strips are kLeftStrip apart. Whole vectors are
// stored, past a strip's elements into those of the next step, which follow.
constexpr int64_t kLeftWidth = quotient_up(kStrip, kLanes) * kLanes;
constexpr int64_t kLeftStrip = kDepth * kStrip + kLeftWidth;

DRYDOCK_INLINE void pack_left(float* to, const Left& a, int64_t row, int64_t rows, int64_t k,
                              int64_t depth, int64_t K) {
    const float* from = a.data + row + k * a.depth;
    for (int64_t d = 0; d < depth; ++d, from += a.depth, to += kStrip) {
        float* strip = to;
        if (k + d + kDepth < K) prefetch_block(from, a.depth, rows);
        for (int64_t m = 0; m < rows; m += kStrip, strip += kLeftStrip) {
            for (int64_t i = 0; i < kLeftWidth && m + i < rows; i += kLanes) {
                simd::store(strip + i,
                            simd::load_first(from + m + i, smaller(kLanes, rows - m - i)));
            }
        }
    }
}

// sums += a panel for R rows and V vectors of columns, `depth` rows of the panel deep. `sums` has
// rows of kPanel elements; in the first block of the depth it is written without being read.
template <int R, int V>
void strip(const Left& a, const float* panel, int64_t depth, bool first, float* sums) {
    F32 sum[R][V];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
            sum[r][v] = first ? simd::zero() : simd::load(sums + r * kPanel + v * kLanes);
        }
    }
    // A pointer for every third row: an address has room for the stride once or twice.
    const float* rows[4] = {a.data, a.data + 3 * a.row, a.data + 6 * a.row, a.data + 9 * a.row};
    for (int64_t k = 0; k < depth; ++k, panel += kPanel) {
        F32 b[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) b[v] = simd::load(panel + v * kLanes);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const F32 x = simd::broadcast(rows[r / 3][r % 3 * a.row]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) sum[r][v] = simd::multiply_add(x, b[v], sum[r][v]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < (R + 2) / 3; ++i) rows[i] += a.depth;
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) simd::store(sums + r * kPanel + v * kLanes, sum[r][v]);
    }
}

using StripFunction = void (*)(const Left&, const float*, int64_t, bool, float*);

// The strip of `rows` rows, 1 to R, and V vectors.
template <int R, int V>
StripFunction strip_of_rows(int64_t rows) {
    if constexpr (R > 1) {
        if (rows < R) return strip_of_rows<R - 1, V>(rows);
    }
    return strip<R, V>;
}

// The strip of `rows` rows and `columns` columns, 1 to kStrip and to kPanel.
template <int V = kVectors>
StripFunction strip_for(int64_t rows, int64_t columns) {
    if constexpr (V > 1) {
        if (columns <= (V - 1) * kLanes) return strip_for<V - 1>(rows, columns);
    }
    return strip_of_rows<kStrip, V>(rows);
}

template <class Finish>
DRYDOCK_INLINE void finish_strip(const UnitRange& u, int64_t row, int64_t rows, int64_t column,
                                 int64_t columns, const float* sums, const Finish& finish) {
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < columns; c += kLanes) {
            finish(u.row + row + r, u.column + column + c, smaller(kLanes, columns - c),
                   simd::load(sums + r * kPanel + c));
        }
    }
}

// The unit `u` of a product of depth K: finish(row, column, n, sums) stores n <= kLanes sums at a
// place of the output, and finish.prefetch(row, column, n) asks for what that will touch. K = 0
// gives sums of 0. Buffers are for units of up to kRows x kColumns; `after_left` sees every packed
// block of the left factor, and without kPackLeft there is none.
template <int64_t kRows, int64_t kColumns, bool kPackLeft, class Pack, class AfterLeft,
          class Finish>
DRYDOCK_INLINE void blocked_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                                 const AfterLeft& after_left, const Finish& finish) {
    constexpr int64_t kStripsOfUnit = (kRows + kStrip - 1) / kStrip;
    alignas(64) float panel[kDepth * kPanel];
    alignas(64) float sums[kStripsOfUnit * kStrip * kColumns];
    alignas(64) float left[kPackLeft ? kStripsOfUnit * kLeftStrip : 1];
    int64_t k = 0;
    do {
        const int64_t depth = smaller(kDepth, K - k);
        if (kPackLeft) {
            pack_left(left, a, u.row, u.rows, k, depth, K);
            after_left(left, depth);
        }
        const bool last = k + kDepth >= K;
        float* tile = sums;
        for (int64_t c = 0; c < u.columns; c += kPanel) {
            const int64_t columns = smaller(kPanel, u.columns - c);
            pack(panel, k, depth, u.column + c, columns);
            for (int64_t row = 0; row < u.rows; row += kStrip, tile += kStrip * kPanel) {
                const int64_t rows = smaller(kStrip, u.rows - row);
                const Left from =
                    kPackLeft ? Left{left + row / kStrip * kLeftStrip, 1, kStrip}
                              : Left{a.data + (u.row + row) * a.row + k * a.depth, a.row, a.depth};
                const StripFunction run = strip_for(rows, columns);
                if (last) {
                    for (int64_t r = 0; r < rows; ++r) {
                        finish.prefetch(u.row + row + r, u.column + c, columns);
                    }
                }
                run(from, panel, depth, k == 0, tile);
                if (last) finish_strip(u, row, rows, c, columns, tile, finish);
            }
        }
        k += kDepth;
    } while (k < K);
}

// A unit of tall_units.
template <class Pack, class Finish>
DRYDOCK_INLINE void tall_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                              const Finish& finish) {
    const auto nothing = [](const float*, int64_t) __attribute__((always_inline)){};
    blocked_unit<kTallRows, kPanel, false>(u, K, a, pack, nothing, finish);
}

// A unit of wide_units; the left factor's row is 1.
template <class Pack, class AfterLeft, class Finish>
DRYDOCK_INLINE void wide_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                              const AfterLeft& after_left, const Finish& finish) {
    blocked_unit<kWideRows, kWideColumns, true>(u, K, a, pack, after_left, finish);
}

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
