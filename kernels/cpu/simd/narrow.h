// Linear layers with few outputs, kNarrow at most: a tile of the output would leave most lanes
// idle, and memory is the limit.
#pragma once

#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

constexpr int64_t kNarrow = 8;          // outputs of a forward product
constexpr int64_t kNarrowInput = 12;    // outputs of an input gradient
constexpr int64_t kNarrowWeights = 12;  // outputs of a weight gradient
constexpr int64_t kNarrowRows = 64;     // of a unit
constexpr int64_t kNarrowBlock = 8;     // rows of an input gradient that are written together

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
                sum[r][v] = simd::fma(simd::load(x + r * ldx + at), weights, sum[r][v]);
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
            sum[r][v] = simd::fma(simd::load_first(x + r * ldx + at, n), weights, sum[r][v]);
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

// Where the sums of an input gradient begin, or what they leave, when they meet w in two halves.
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

// Rows of dy w for O columns of dy and V vectors of columns of w, which wait in registers while the
// rows pass; finish as a unit's.
template <int O, int V, class Start, class Finish>
void narrow_input_columns(const float* dy, int64_t lddy, const float* w, int64_t I, int64_t row,
                          int64_t rows, int64_t column, const Start& from, const Finish& to) {
    constexpr int64_t kAhead = kNarrowBlock;
    const Start start = from;  // copies, as in last_strip
    const Finish finish = to;
    F32 weights[O][V];
#pragma GCC unroll 12
    for (int o = 0; o < O; ++o) {
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) weights[o][v] = simd::load(w + o * I + column + v * kLanes);
    }
    const float* d = dy + row * lddy;
    for (int64_t r = row; r < row + rows; ++r, d += lddy) {
        finish.prefetch(r + kAhead, column, V * kLanes);
        F32 sum[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) sum[v] = start.begin(r, column + v * kLanes);
#pragma GCC unroll 12
        for (int o = 0; o < O; ++o) {
            const F32 x = simd::broadcast(d[o]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[v] = simd::fma(x, weights[o][v], sum[v]);
        }
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) finish(r, column + v * kLanes, kLanes, sum[v]);
    }
}

// At most kNarrowBlock rows of dy w for dy of O columns.
template <int O, class Finish>
DRYDOCK_INLINE void narrow_input_gradient_of(const float* dy, int64_t lddy, const float* w,
                                             int64_t I, int64_t row, int64_t rows,
                                             const Finish& finish) {
    constexpr int V = O == 1 ? 4 : 2;
    int64_t i = 0;
    for (; i + V * kLanes <= I; i += V * kLanes) {
        if constexpr (O <= kStrip) {
            narrow_input_columns<O, V>(dy, lddy, w, I, row, rows, i, FromZero{}, finish);
        } else {
            constexpr int kHalf = (O + 1) / 2;
            alignas(64) float sums[kNarrowBlock * kPanel];
            const HalfSums half = {sums, row, i};
            narrow_input_columns<kHalf, V>(dy, lddy, w, I, row, rows, i, FromZero{}, half);
            narrow_input_columns<O - kHalf, V>(dy + kHalf, lddy, w + kHalf * I, I, row, rows, i,
                                               half, finish);
        }
    }
    for (; i < I; i += kLanes) {
        const int64_t n = smaller(kLanes, I - i);
        for (int64_t r = row; r < row + rows; ++r) {
            F32 sum = simd::zero();
            for (int o = 0; o < O; ++o) {
                sum = simd::fma(simd::broadcast(dy[r * lddy + o]),
                                simd::load_first(w + o * I + i, n), sum);
            }
            finish(r, i, n, sum);
        }
    }
}

// Calls body with O, 1 to kNarrowInput, as a constant.
template <int O, class Body>
DRYDOCK_INLINE void with_outputs(int64_t outputs, const Body& body) {
    if constexpr (O < kNarrowInput) {
        if (outputs != O) return with_outputs<O + 1>(outputs, body);
    }
    body.template run<O>();
}

template <class Finish>
struct NarrowInputGradient {
    const float* dy;
    int64_t lddy;
    const float* w;
    int64_t I, row, rows;
    const Finish& finish;

    template <int O>
    DRYDOCK_INLINE void run() const {
        narrow_input_gradient_of<O>(dy, lddy, w, I, row, rows, finish);
    }
};

// Rows [row, row + rows) of dy w for dy of O columns, at most kNarrowInput.
template <class Finish>
DRYDOCK_INLINE void narrow_input_gradient(const float* dy, int64_t lddy, const float* w, int64_t I,
                                          int64_t O, int64_t row, int64_t rows,
                                          const Finish& finish) {
    for (const int64_t end = row + rows; row < end; row += kNarrowBlock) {
        with_outputs<1>(O, NarrowInputGradient<Finish>{dy, lddy, w, I, row,
                                                       smaller(kNarrowBlock, end - row), finish});
    }
}

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
            for (int v = 0; v < V; ++v) sum[r][v] = simd::fma(d, b[v], sum[r][v]);
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
#if defined(DRYDOCK_SIMD_AVX512)
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
