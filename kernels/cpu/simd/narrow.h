// Linear layers with few inputs or outputs: a tile of the output would leave most lanes idle, or
// end before it pays to pack, and memory is the limit.
#pragma once

#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

constexpr int64_t kNarrow = 8;          // outputs of a forward product
constexpr int64_t kNarrowWeights = 12;  // outputs of a weight gradient
constexpr int64_t kShallow = 12;        // inputs of a forward product, outputs of an input gradient
constexpr int64_t kShallowRows = 8;     // that are written together
constexpr int64_t kShallowPanels = 32;
constexpr int64_t kPair = 2 * kLanes;                     // columns that meet a row together
constexpr int64_t kRowUnit = 64;                          // rows of a unit with all columns
constexpr int kNarrowStrip = kStrip * kPanelVectors / 2;  // rows of two vectors in registers

// R rows of x times one row of weights: 16 chains along the depth, which are summed at the end, for
// every instruction set.
template <int R>
DRYDOCK_INLINE void dot_rows(const float* x, int64_t ldx, const float* w, int64_t K,
                             float (&out)[R]) {
    constexpr int kVectors = 16 / kLanes;
    F32 sum[R][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[r][v] = simd::zero();
    }
    int64_t k = 0;
    for (; k + 16 <= K; k += 16) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
            const int64_t at = k + v * kLanes;
            const F32 weights = simd::load(w + at);
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r) {
                sum[r][v] = simd::multiply_add(simd::load(x + r * ldx + at), weights, sum[r][v]);
            }
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
        const int64_t at = k + v * kLanes;
        if (at >= K) break;
        const int64_t n = smaller(kLanes, K - at);
        const F32 weights = simd::load_first(w + at, n);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            sum[r][v] =
                simd::multiply_add(simd::load_first(x + r * ldx + at, n), weights, sum[r][v]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int half = kVectors / 2; half > 0; half /= 2) {
            for (int v = 0; v < half; ++v) sum[r][v] = simd::add(sum[r][v], sum[r][v + half]);
        }
        out[r] = simd::sum(sum[r][0]);
    }
}

// Rows [row, row + rows) of x w^T; finish(row, column, sum) stores one element.
template <class Finish>
DRYDOCK_INLINE void narrow_forward(const float* x, int64_t ldx, const float* w, int64_t I,
                                   int64_t O, int64_t row, int64_t rows, const Finish& finish) {
    constexpr int kRows = 4;
    const int64_t end = row + rows;
    for (; row + kRows <= end; row += kRows) {
        for (int64_t o = 0; o < O; ++o) {
            float sums[kRows];
            dot_rows(x + row * ldx, ldx, w + o * I, I, sums);
            for (int r = 0; r < kRows; ++r) finish(row + r, o, sums[r]);
        }
    }
    for (; row < end; ++row) {
        for (int64_t o = 0; o < O; ++o) {
            float sum[1];
            dot_rows(x + row * ldx, ldx, w + o * I, I, sum);
            finish(row, o, sum[0]);
        }
    }
}

// Products of a short depth K, a layer of few inputs forward or of few outputs backward: V vectors
// of columns of the right factor wait in registers while the rows of the left one pass.

// Where a row's sums begin, or what they leave, when they meet the right factor in two halves.
struct HalfSums {
    float* data;
    int64_t row, column;

    DRYDOCK_INLINE float* at(int64_t r, int64_t c) const {
        return data + (r - row) * kPanel + c - column;
    }
    DRYDOCK_INLINE F32 begin(int64_t r, int64_t c) const { return simd::load(at(r, c)); }
    DRYDOCK_INLINE void prefetch(int64_t, int64_t, int64_t) const {}
    DRYDOCK_INLINE void operator()(int64_t r, int64_t c, int64_t, F32 v) const {
        simd::store(at(r, c), v);
    }
};
struct FromZero {
    DRYDOCK_INLINE F32 begin(int64_t, int64_t) const { return simd::zero(); }
};

// The left factor's rows, each contiguous.
struct ShallowLeft {
    const float* data;
    int64_t ld, row, rows;
};

// The right factor from the column `column` of the output on: element (k, n) is data[k * ld + n].
struct ShallowRight {
    const float* data;
    int64_t ld, column;
};

template <int K, int V, class Start, class Finish>
void shallow_columns(const ShallowLeft& a, const ShallowRight& b, const Start& from,
                     const Finish& to) {
    constexpr int64_t kAhead = kShallowRows;
    const Start start = from;  // copies, as in last_strip
    const Finish finish = to;
    const int64_t end = a.row + a.rows, ld = a.ld, column = b.column;
    F32 right[K][V];
#pragma GCC unroll 12
    for (int k = 0; k < K; ++k) {
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) right[k][v] = simd::load(b.data + k * b.ld + v * kLanes);
    }
    const float* left = a.data + a.row * ld;
    for (int64_t r = a.row; r < end; ++r, left += ld) {
        finish.prefetch(r + kAhead, column, V * kLanes);
        F32 sum[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) sum[v] = start.begin(r, column + v * kLanes);
#pragma GCC unroll 12
        for (int k = 0; k < K; ++k) {
            const F32 x = simd::broadcast(left[k]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[v] = simd::multiply_add(x, right[k][v], sum[v]);
        }
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) finish(r, column + v * kLanes, kLanes, sum[v]);
    }
}

// The same in two halves of the depth where registers do not hold all of it.
template <int K, int V, class Finish>
DRYDOCK_INLINE void shallow_block(const ShallowLeft& a, const ShallowRight& b,
                                  const Finish& finish) {
    if constexpr (K <= kNarrowStrip) {
        shallow_columns<K, V>(a, b, FromZero{}, finish);
    } else {
        constexpr int kHalf = (K + 1) / 2;
        alignas(64) float sums[kShallowRows * kPanel];
        const HalfSums half = {sums, a.row, b.column};
        shallow_columns<kHalf, V>(a, b, FromZero{}, half);
        shallow_columns<K - kHalf, V>({a.data + kHalf, a.ld, a.row, a.rows},
                                      {b.data + kHalf * b.ld, b.ld, b.column}, half, finish);
    }
}

// Calls body.run<K>(), 1 <= K <= kShallow.
template <int K = 1, class Body>
DRYDOCK_INLINE void with_depth(int64_t depth, const Body& body) {
    if constexpr (K < kShallow) {
        if (depth != K) return with_depth<K + 1>(depth, body);
    }
    body.template run<K>();
}

// Rows of dy w; finish as a unit's.
template <class Finish>
struct ShallowInputGradient {
    const ShallowLeft& dy;
    const float* w;
    int64_t I;
    const Finish& finish;

    template <int O>
    DRYDOCK_INLINE void run() const {
        const int64_t end = dy.row + dy.rows;
        for (int64_t row = dy.row; row < end; row += kShallowRows) {
            rows<O>({dy.data, dy.ld, row, smaller(kShallowRows, end - row)});
        }
    }

    template <int O>
    DRYDOCK_INLINE void rows(const ShallowLeft& some) const {
        int64_t i = 0;
        if constexpr (O <= kMemoryBound) {
            whole_rows<O>(some);
            i = I / kLanes * kLanes;
        } else {
            for (; i + kPair <= I; i += kPair) shallow_block<O, 2>(some, {w + i, I, i}, finish);
        }
        for (; i < I; i += kLanes) {
            const int64_t n = smaller(kLanes, I - i);
            for (int64_t r = some.row; r < some.row + some.rows; ++r) {
                F32 sum = simd::zero();
                for (int o = 0; o < O; ++o) {
                    sum = simd::multiply_add(simd::broadcast(some.data[r * some.ld + o]),
                                             simd::load_first(w + o * I + i, n), sum);
                }
                finish(r, i, n, sum);
            }
        }
    }

    // So little is computed that the order of the writes is what counts.
    static constexpr int kMemoryBound = 2;

    template <int O>
    DRYDOCK_INLINE void whole_rows(const ShallowLeft& some) const {
        const Finish store = finish;  // a copy, as in last_strip
        const float* const weights = w;
        const int64_t width = I;
        for (int64_t r = some.row; r < some.row + some.rows; ++r) {
            F32 x[O];
#pragma GCC unroll 2
            for (int o = 0; o < O; ++o) x[o] = simd::broadcast(some.data[r * some.ld + o]);
            for (int64_t i = 0; i + kLanes <= width; i += kLanes) {
                F32 sum = simd::zero();
#pragma GCC unroll 2
                for (int o = 0; o < O; ++o) {
                    sum = simd::multiply_add(x[o], simd::load(weights + o * width + i), sum);
                }
                store(r, i, kLanes, sum);
            }
        }
    }
};

// Rows of x w^T for the whole panels of its columns, at most kShallowPanels.
template <class Finish>
struct ShallowForward {
    const ShallowLeft& x;
    const float* w;
    int64_t panels;
    const Finish& finish;

    template <int I>
    DRYDOCK_INLINE void run() const {
        // Packing writes whole squares: past a panel, which the next one then overwrites.
        alignas(64) float packed[(kShallowPanels * I + kLanes) * kPanel];
        const PackTransposed pack = {w, I};
        for (int64_t p = 0; p < panels; ++p) {
            pack(packed + p * I * kPanel, 0, I, p * kPanel, kPanel);
        }
        const int64_t end = x.row + x.rows;
        for (int64_t row = x.row; row < end; row += kShallowRows) {
            const ShallowLeft some = {x.data, x.ld, row, smaller(kShallowRows, end - row)};
            for (int64_t p = 0; p < panels; ++p) {
                for (int64_t c = 0; c < kPanel; c += kPair) {
                    shallow_block<I, 2>(some, {packed + p * I * kPanel + c, kPanel, p * kPanel + c},
                                        finish);
                }
            }
        }
    }
};

// R rows of dy^T x and V vectors of columns, of which `columns` exist. Chains run along all N rows.
template <int R, int V>
void narrow_weight_strip(const float* dy, int64_t lddy, const float* x, int64_t ldx, int64_t N,
                         int64_t columns, float* dw, int64_t I) {
    constexpr int64_t kAhead = 16;
    const bool whole = columns == V * kLanes;
    F32 sum[R][V];
    int64_t n[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
        const int64_t left = columns - v * kLanes;
        n[v] = left < 0 ? 0 : smaller(kLanes, left);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) sum[r][v] = simd::zero();
    }
    for (int64_t k = 0; k < N; ++k, dy += lddy, x += ldx) {
        F32 b[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            if (R > 1 && v * kLanes % 16 == 0) {
                __builtin_prefetch(x + kAhead * ldx + v * kLanes, 0, 3);
            }
            b[v] = whole ? simd::load(x + v * kLanes) : simd::load_first(x + v * kLanes, n[v]);
        }
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const F32 d = simd::broadcast(dy[r]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[r][v] = simd::multiply_add(d, b[v], sum[r][v]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) simd::store_first(dw + r * I + v * kLanes, sum[r][v], n[v]);
    }
}

// Vectors of columns that strips of O outputs hold: sums enough to hide the fma's latency.
constexpr int narrow_weight_vectors(int64_t O) { return O == 1 ? 8 : O <= 3 ? 4 : 2; }

// `columns` columns of dw for O outputs, as narrow_weight_vectors(O) hold.
DRYDOCK_INLINE void narrow_weight_columns(int64_t O, const float* dy, int64_t lddy, const float* x,
                                          int64_t ldx, int64_t N, int64_t columns, float* dw,
                                          int64_t I) {
    using Strip =
        void (*)(const float*, int64_t, const float*, int64_t, int64_t, int64_t, float*, int64_t);
    static constexpr Strip kStrips[] = {
        narrow_weight_strip<1, 8>,
        narrow_weight_strip<2, 4>,
        narrow_weight_strip<3, 4>,
        narrow_weight_strip<4, 2>,
        narrow_weight_strip<5, 2>,
        narrow_weight_strip<6, 2>,
#if defined(DRYDOCK_SIMD_AVX512) || defined(DRYDOCK_SIMD_NEON)
        narrow_weight_strip<7, 2>,
        narrow_weight_strip<8, 2>,
        narrow_weight_strip<9, 2>,
        narrow_weight_strip<10, 2>,
        narrow_weight_strip<11, 2>,
        narrow_weight_strip<12, 2>,
#endif
    };
    kStrips[O - 1](dy, lddy, x, ldx, N, columns, dw, I);
}

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
