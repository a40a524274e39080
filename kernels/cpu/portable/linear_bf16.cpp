// The products of Precision::bf16, as they are defined: factors are rounded, and every output is
// one chain of sums along the depth. A product of two bfloat16 is exact in f32, so that a kernel
// with fma gives the same bits.
#include <algorithm>
#include <cmath>

#include "base/bf16.h"
#include "kernels/api/linear.h"
#include "kernels/cpu/portable/gelu.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

constexpr std::int64_t kRows = 32, kColumns = 64, kDepth = 128;

// A factor: element (i, j) is data[i * row + j * column].
struct Strided {
    const void* data;
    std::int64_t row, column;

    // Rounded elements of rows [i, i + rows) and columns [j, j + columns), `ld` apart.
    void round(std::int64_t i, std::int64_t rows, std::int64_t j, std::int64_t columns, float* to,
               std::int64_t ld) const {
        for (std::int64_t r = 0; r < rows; ++r) {
            const float* from = static_cast<const float*>(data) + (i + r) * row + j * column;
            for (std::int64_t c = 0; c < columns; ++c) {
                to[r * ld + c] = from_bf16(to_bf16(from[c * column]));
            }
        }
    }
};

std::int64_t block_count(std::int64_t M, std::int64_t N) {
    return ceil_div(M, kRows) * ceil_div(N, kColumns);
}

// Units [first, last) of the (M, N) product of depth K: store(row, column, sum).
template <class Store>
void multiply_rounded(std::int64_t M, std::int64_t N, std::int64_t K, const Strided& a,
                      const Strided& b, std::int64_t first, std::int64_t last, Store store) {
    float left[kRows * kDepth], right[kDepth * kColumns], sums[kRows * kColumns];
    const std::int64_t across = ceil_div(N, kColumns);
    for (std::int64_t unit = first; unit < last; ++unit) {
        const std::int64_t row = unit / across * kRows, column = unit % across * kColumns;
        const std::int64_t rows = std::min(kRows, M - row),
                           columns = std::min(kColumns, N - column);
        std::fill(sums, sums + kRows * kColumns, 0.0F);
        for (std::int64_t k = 0; k < K; k += kDepth) {
            const std::int64_t depth = std::min(kDepth, K - k);
            a.round(row, rows, k, depth, left, kDepth);
            b.round(k, depth, column, columns, right, kColumns);
            for (std::int64_t r = 0; r < rows; ++r) {
                for (std::int64_t d = 0; d < depth; ++d) {
                    const float x = left[r * kDepth + d];
                    for (std::int64_t c = 0; c < columns; ++c) {
                        sums[r * kColumns + c] += x * right[d * kColumns + c];
                    }
                }
            }
        }
        for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t c = 0; c < columns; ++c) {
                store(row + r, column + c, sums[r * kColumns + c]);
            }
        }
    }
}

template <class Args>
bool valid_layer(const Args& a) {
    return a.dtype == DType::f32 && a.precision == Precision::bf16 && a.N >= 0 && a.I >= 1 &&
           a.O >= 1;
}

float activate(Activation activation, float v) {
    if (activation == Activation::tanh) return std::tanh(v);
    if (activation == Activation::gelu) return gelu(v);
    return activation == Activation::relu && v < 0 ? 0 : v;
}

float times_derivative(Activation activation, float v, float y) {
    if (activation == Activation::tanh) return v * (1 - y * y);
    if (activation == Activation::gelu) return v * y;
    return y > 0 ? v : 0;
}

Status check_forward(const LinearForward& a) {
    return valid(valid_layer(a) && a.ldx >= a.I && a.ldy >= a.O && valid_repeat(a));
}

std::int64_t forward_units(const LinearForward& a) { return block_count(a.N, a.O); }

void run_forward(const LinearForward& a, std::int64_t first, std::int64_t last) {
    const auto* bias = static_cast<const float*>(a.bias);
    const auto* residual = static_cast<const float*>(a.residual);
    auto* y = static_cast<float*>(a.y);
    auto* slope = static_cast<float*>(a.activation == Activation::gelu ? a.slope : nullptr);
    multiply_rounded(a.N, a.O, a.I, {a.x, a.ldx, 1}, {a.w, 1, a.I}, first, last,
                     [&](std::int64_t n, std::int64_t o, float v) {
                         if (bias != nullptr) v += bias[o];
                         if (residual != nullptr) v += residual[n / a.repeat * a.O + o];
                         if (slope != nullptr) slope[n * a.O + o] = gelu_derivative(v);
                         y[n * a.ldy + o] = activate(a.activation, v);
                     });
}

Status check_input_gradient(const LinearInputGradient& a) {
    return valid(valid_layer(a) && a.lddy >= a.O && a.lddx >= a.I);
}

std::int64_t input_gradient_units(const LinearInputGradient& a) { return block_count(a.N, a.I); }

void run_input_gradient(const LinearInputGradient& a, std::int64_t first, std::int64_t last) {
    const auto* below = static_cast<const float*>(a.y_below);
    auto* dx = static_cast<float*>(a.dx);
    multiply_rounded(a.N, a.I, a.O, {a.dy, a.lddy, 1}, {a.w, a.I, 1}, first, last,
                     [&](std::int64_t n, std::int64_t i, float v) {
                         if (a.activation_below != Activation::none) {
                             v = times_derivative(a.activation_below, v, below[n * a.I + i]);
                         }
                         dx[n * a.lddx + i] = v;
                     });
}

Status check_weight_gradient(const LinearWeightGradient& a) {
    return valid(valid_layer(a) && a.lddy >= a.O && a.ldx >= a.I);
}

// The bias's gradient is the last unit.
std::int64_t weight_gradient_units(const LinearWeightGradient& a) {
    return block_count(a.O, a.I) + (a.db != nullptr ? 1 : 0);
}

void bias_gradient(const LinearWeightGradient& a) {
    auto* db = static_cast<float*>(a.db);
    std::fill_n(db, a.O, 0.0F);
    for (std::int64_t n = 0; n < a.N; ++n) {
        const float* dy = static_cast<const float*>(a.dy) + n * a.lddy;
        for (std::int64_t o = 0; o < a.O; ++o) db[o] += dy[o];
    }
}

void run_weight_gradient(const LinearWeightGradient& a, std::int64_t first, std::int64_t last) {
    const std::int64_t blocks = block_count(a.O, a.I);
    auto* dw = static_cast<float*>(a.dw);
    multiply_rounded(a.O, a.I, a.N, {a.dy, 1, a.lddy}, {a.x, a.ldx, 1}, first,
                     std::min(last, blocks),
                     [&](std::int64_t o, std::int64_t i, float v) { dw[o * a.I + i] = v; });
    if (last > blocks) bias_gradient(a);
}

}  // namespace

CpuKernel<LinearForward> linear_forward_bf16() {
    return {check_forward, forward_units, run_forward};
}

CpuKernel<LinearInputGradient> linear_input_gradient_bf16() {
    return {check_input_gradient, input_gradient_units, run_input_gradient};
}

CpuKernel<LinearWeightGradient> linear_weight_gradient_bf16() {
    return {check_weight_gradient, weight_gradient_units, run_weight_gradient};
}

}  // namespace drydock::kernels::portable
