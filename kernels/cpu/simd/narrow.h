// Linear layers with few outputs, kNarrow at most: a tile of the output would leave most lanes
// idle, and memory is the limit.
#pragma once

#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

constexpr int64_t kNarrow = 8;
constexpr int64_t kNarrowRows = 64;  // of a unit

// R rows of x times one row of weights, each a sum over lanes of chains along the depth.
template <int R>
DRYDOCK_INLINE void dot_rows(const float* x, int64_t ldx, const float* w, int64_t K,
                             float (&out)[R]) {
    F32 sum[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[r] = simd::zero();
    int64_t k = 0;
    for (; k + kLanes <= K; k += kLanes) {
        const F32 v = simd::load(w + k);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r)
            sum[r] = simd::multiply_add(simd::load(x + r * ldx + k), v, sum[r]);
    }
    if (k < K) {
        const F32 v = simd::load_first(w + k, K - k);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            sum[r] = simd::multiply_add(simd::load_first(x + r * ldx + k, K - k), v, sum[r]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) out[r] = simd::sum(sum[r]);
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

// Rows [row, row + rows) of dy w for dy of O columns; finish as a unit's.
template <class Finish>
DRYDOCK_INLINE void narrow_input_gradient(const float* dy, int64_t lddy, const float* w, int64_t I,
                                          int64_t O, int64_t row, int64_t rows,
                                          const Finish& finish) {
    for (int64_t r = row; r < row + rows; ++r) {
        for (int64_t i = 0; i < I; i += kLanes) {
            const int64_t n = smaller(kLanes, I - i);
            F32 sum = simd::zero();
            for (int64_t o = 0; o < O; ++o) {
                sum = simd::multiply_add(simd::broadcast(dy[r * lddy + o]),
                                         simd::load_first(w + o * I + i, n), sum);
            }
            finish(r, i, n, sum);
        }
    }
}

// R rows of dy^T x from row o of dw on and V vectors of columns from `column` on, of which
// `columns` exist. Chains run along all N rows.
template <int R, int V>
void narrow_weight_strip(const float* dy, int64_t lddy, const float* x, int64_t ldx, int64_t N,
                         int64_t columns, float* dw, int64_t I) {
    F32 sum[R][V];
    int64_t n[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
        const int64_t left = columns - v * kLanes;
        n[v] = left < 0 ? 0 : smaller(kLanes, left);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sum[r][v] = simd::zero();
    }
    const bool whole = columns == V * kLanes;
    for (int64_t k = 0; k < N; ++k, dy += lddy, x += ldx) {
        F32 b[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            b[v] = whole ? simd::load(x + v * kLanes) : simd::load_first(x + v * kLanes, n[v]);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const F32 d = simd::broadcast(dy[r]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[r][v] = simd::multiply_add(d, b[v], sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) simd::store_first(dw + r * I + v * kLanes, sum[r][v], n[v]);
    }
}

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
