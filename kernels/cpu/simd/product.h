// The product of two matrices as the three linear kernels need it, in f32 on base/simd.h.
//
// A unit is a tile of the output. Block by block of the depth, a panel of the right factor is
// copied into a buffer on the stack, where a row of kPanel elements is contiguous; strips of kStrip
// output rows then live in registers while they run along the block, and go from there to the
// output. Between blocks they wait in a second buffer. The left factor is read in place: one
// element at a time, so that the processor fetches its lines far ahead of their use.
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

// In registers, 32 of them or 16: kStrip x kPanelVectors sums, elements of the left factor and
// vectors of the panel. The portable page's multiply-add needs one more, so that there it pays to
// take the panel from memory.
#if defined(DRYDOCK_SIMD_AVX512)
constexpr int kStrip = 12, kPanelVectors = 2;
#elif defined(DRYDOCK_SIMD_NEON)
constexpr int kStrip = 6, kPanelVectors = 4;
#elif defined(DRYDOCK_SIMD_PORTABLE)
constexpr int kStrip = 3, kPanelVectors = 4;
#else
constexpr int kStrip = 6, kPanelVectors = 2;
#endif
constexpr int64_t kPanel = kPanelVectors * kLanes;
constexpr int64_t kDepth = 256;  // of a block

DRYDOCK_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
DRYDOCK_INLINE int64_t quotient_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

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
constexpr int64_t kTallRows = 264;  // one panel wide
constexpr int64_t kWideRows = 264, kWideColumns = 128;
constexpr int64_t kWideDepth = 128;  // of a block

// Units one panel wide. A panel is packed for every unit, so that units grow where there are still
// kTallUnits of them.
constexpr int64_t kTallUnits = 8;

DRYDOCK_INLINE Units tall_units(int64_t M, int64_t N) {
    const bool enough = quotient_up(M, kTallRows) * quotient_up(N, kPanel) >= kTallUnits;
    return {M, N, enough ? kTallRows : kTallRows / 2, kPanel};
}

// Units of several panels, for long depths K: a block of the left factor is read once for all of
// them. As large as they may be while there are enough of them, and of like sizes. Where the depth
// is so long that the factors come from memory, fewer and larger ones read them less often.
constexpr int64_t kLongDepth = 2048;

DRYDOCK_INLINE Units wide_units(int64_t M, int64_t N, int64_t K) {
    const bool from_memory = K >= kLongDepth;
    const int64_t enough = from_memory ? 2 : 4;
    int64_t down = quotient_up(M, kWideRows);
    int64_t across = quotient_up(N, from_memory ? kWideColumns : kWideColumns / 2);
    if (down * across < enough && N > 2 * kPanel) across *= 2;
    if (down * across < enough) down = quotient_up(enough, across);
    return {M, N, quotient_up(quotient_up(M, down), kStrip) * kStrip,
            quotient_up(quotient_up(N, across), kPanel) * kPanel};
}

// Asks for the n elements that the next block will read where this one reads p: its rows lie too
// far apart for the processor to see the pattern.
template <int64_t kBlock>
DRYDOCK_INLINE void prefetch_block(const float* p, int64_t ld, int64_t n) {
    for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(p + kBlock * ld + i, 0, 2);
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
// masks. It returns where the panel lies.

// The right factor is stored as it is used: element (k, n) is data[k * ld + n].
template <int64_t kBlock>
struct PackRows {
    const float* data;
    int64_t ld;
    int64_t depth_of_all;

    DRYDOCK_INLINE const float* operator()(float* to, int64_t k, int64_t depth, int64_t column,
                                           int64_t columns) const {
        const float* p = data + k * ld + column;
        float* panel = to;
        for (int64_t d = 0; d < depth; ++d, p += ld, panel += kPanel) {
            if (k + d + kBlock < depth_of_all) prefetch_block<kBlock>(p, ld, columns);
            for (int64_t n = 0; n < kPanel; n += kLanes) {
                const int64_t left = columns - n;
                simd::store(panel + n, left >= kLanes ? simd::load(p + n)
                                       : left > 0     ? simd::load_first(p + n, left)
                                                      : simd::zero());
            }
        }
        return to;
    }
};

// The right factor is stored transposed: element (k, n) is data[n * ld + k].
struct PackTransposed {
    const float* data;
    int64_t ld;

    DRYDOCK_INLINE const float* operator()(float* panel, int64_t k, int64_t depth, int64_t column,
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
        return panel;
    }
};

// The right factor as PackWeights left it: panel by panel, each over the whole depth.
struct Packed {
    const float* data;
    int64_t panel;  // elements of one

    DRYDOCK_INLINE Packed(const void* packed, int64_t depth)
        : data(static_cast<const float*>(packed)), panel(quotient_up(depth, 16) * 16 * kPanel) {}

    DRYDOCK_INLINE const float* operator()(float*, int64_t k, int64_t, int64_t column,
                                           int64_t) const {
        return data + column / kPanel * panel + k * kPanel;
    }
};

// sum += R rows of a left factor times V vectors of columns of a right one, whose rows are `ld`
// apart, `depth` steps.
template <int R, int V>
DRYDOCK_INLINE void accumulate(const Left& a, const float* right, int64_t ld, int64_t depth,
                               F32 (&sum)[R][V]) {
    // A pointer for every third row: an address has room for the stride once or twice.
    const float* rows[4] = {a.data, a.data + 3 * a.row, a.data + 6 * a.row, a.data + 9 * a.row};
    for (int64_t k = 0; k < depth; ++k, right += ld) {
        F32 b[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) b[v] = simd::load(right + v * kLanes);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const F32 x = simd::broadcast(rows[r / 3][r % 3 * a.row]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[r][v] = simd::multiply_add(x, b[v], sum[r][v]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < (R + 2) / 3; ++i) rows[i] += a.depth;
    }
}

// Where a strip's sums wait between blocks, in rows of kPanel elements; in the first block they are
// not read, and in the last one not written.
template <int R, int V>
DRYDOCK_INLINE void begin_strip(const float* sums, bool first, F32 (&sum)[R][V]) {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
            sum[r][v] = first ? simd::zero() : simd::load(sums + r * kPanel + v * kLanes);
        }
    }
}

// A block of the depth that is not the last.
template <int R, int V>
void strip(const Left& a, const float* panel, int64_t depth, bool first, float* sums) {
    F32 sum[R][V];
    begin_strip(sums, first, sum);
    accumulate(a, panel, kPanel, depth, sum);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) simd::store(sums + r * kPanel + v * kLanes, sum[r][v]);
    }
}

// The place of a strip in the output.
struct Place {
    int64_t row, column, columns;
};

// The last block: finish(row, column, n, sum) takes each vector of sums.
template <int R, int V, class Finish>
void last_strip(const Left& a, const float* panel, int64_t depth, bool first, const float* sums,
                const Place& at, const Finish& to) {
    // Copies: a store could change what a reference names, for all that the compiler knows.
    const Place place = at;
    const Finish finish = to;
    F32 sum[R][V];
    begin_strip(sums, first, sum);
    accumulate(a, panel, kPanel, depth, sum);
    if (place.columns == V * kLanes) {
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) {
                finish(place.row + r, place.column + v * kLanes, kLanes, sum[r][v]);
            }
        }
    } else {
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) {
                finish(place.row + r, place.column + v * kLanes,
                       smaller(kLanes, place.columns - v * kLanes), sum[r][v]);
            }
        }
    }
}

// The functions for strips of 1 to kStrip rows.
template <int V, class Finish, int... R>
struct StripTable {
    using Inner = void (*)(const Left&, const float*, int64_t, bool, float*);
    using Last = void (*)(const Left&, const float*, int64_t, bool, const float*, const Place&,
                          const Finish&);
    static constexpr Inner kInner[] = {strip<R, V>...};
    static constexpr Last kLast[] = {last_strip<R, V, Finish>...};
};
#if defined(DRYDOCK_SIMD_AVX512)
template <int V, class Finish>
using Strips = StripTable<V, Finish, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;
#elif defined(DRYDOCK_SIMD_PORTABLE)
template <int V, class Finish>
using Strips = StripTable<V, Finish, 1, 2, 3>;
#else
template <int V, class Finish>
using Strips = StripTable<V, Finish, 1, 2, 3, 4, 5, 6>;
#endif

// Those for as many vectors as `columns` need, 1 to kPanel.
template <class Finish, int V = kPanelVectors>
DRYDOCK_INLINE auto inner_strips(int64_t columns) -> const typename Strips<V, Finish>::Inner* {
    if constexpr (V > 1) {
        if (columns <= (V - 1) * kLanes) return inner_strips<Finish, V - 1>(columns);
    }
    return Strips<V, Finish>::kInner;
}
template <class Finish, int V = kPanelVectors>
DRYDOCK_INLINE auto last_strips(int64_t columns) -> const typename Strips<V, Finish>::Last* {
    if constexpr (V > 1) {
        if (columns <= (V - 1) * kLanes) return last_strips<Finish, V - 1>(columns);
    }
    return Strips<V, Finish>::kLast;
}

// The unit `u` of a product of depth K: finish(row, column, n, sums) stores n <= kLanes sums at a
// place of the output, and finish.prefetch(row, column, n) asks for what that will touch. K = 0
// gives sums of 0. Buffers are for units of up to kRows x kColumns and blocks of kBlock steps;
// before_block(k, depth) sees every block.
template <int64_t kRows, int64_t kColumns, int64_t kBlock, class Pack, class BeforeBlock,
          class Finish>
DRYDOCK_INLINE void blocked_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                                 const BeforeBlock& before_block, const Finish& finish) {
    constexpr int64_t kStripsOfUnit = (kRows + kStrip - 1) / kStrip;
    alignas(64) float panel[kBlock * kPanel];
    alignas(64) float sums[kStripsOfUnit * kStrip * kColumns];
    int64_t k = 0;
    do {
        const int64_t depth = smaller(kBlock, K - k);
        before_block(k, depth);
        const bool last = k + kBlock >= K;
        float* tile = sums;
        for (int64_t c = 0; c < u.columns; c += kPanel) {
            const int64_t columns = smaller(kPanel, u.columns - c);
            const float* right = pack(panel, k, depth, u.column + c, columns);
            for (int64_t row = 0; row < u.rows; row += kStrip, tile += kStrip * kPanel) {
                const int64_t rows = smaller(kStrip, u.rows - row);
                const Left from = {a.data + (u.row + row) * a.row + k * a.depth, a.row, a.depth};
                if (!last) {
                    inner_strips<Finish>(columns)[rows - 1](from, right, depth, k == 0, tile);
                    continue;
                }
                for (int64_t r = kStrip; r < 2 * kStrip; ++r) {
                    finish.prefetch(u.row + row + r, u.column + c, columns);
                }
                last_strips<Finish>(columns)[rows - 1](
                    from, right, depth, k == 0, tile, {u.row + row, u.column + c, columns}, finish);
            }
        }
        k += kBlock;
    } while (k < K);
}

// A unit of tall_units.
template <class Pack, class Finish>
DRYDOCK_INLINE void tall_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                              const Finish& finish) {
    const auto nothing = [](int64_t, int64_t) __attribute__((always_inline)){};
    blocked_unit<kTallRows, kPanel, kDepth>(u, K, a, pack, nothing, finish);
}

// Rows [row, row + rows), at most kTallRows of them, of all N columns.
template <class Pack, class Finish>
DRYDOCK_INLINE void row_unit(int64_t row, int64_t rows, int64_t N, int64_t K, const Left& a,
                             const Pack& pack, const Finish& finish) {
    for (int64_t column = 0; column < N; column += kPanel) {
        tall_unit({row, rows, column, smaller(kPanel, N - column)}, K, a, pack, finish);
    }
}

// A unit of wide_units.
template <class Pack, class BeforeBlock, class Finish>
DRYDOCK_INLINE void wide_unit(const UnitRange& u, int64_t K, const Left& a, const Pack& pack,
                              const BeforeBlock& before_block, const Finish& finish) {
    blocked_unit<kWideRows, kWideColumns, kWideDepth>(u, K, a, pack, before_block, finish);
}

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
