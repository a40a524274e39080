// A linear layer and its two gradients, in the three shapes that training needs.
// Letters: N rows (batch), I input features, O output features. Weights are (O, I), as in PyTorch.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

// What a product does with its two factors. `bf16` is for f32 alone: each factor is rounded to
// bfloat16 (base/bf16.h) and the products are summed in f32, in an order of the kernel's own; the
// bias, its gradient and everything in memory stay f32. A sum below 2^-126 may count as zero.
// Kernels of one precision refuse the other.
enum class Precision : std::uint8_t { full, bf16 };

// Layers of few outputs gain nothing from bf16: programs ask for it above so many.
constexpr std::int64_t kNarrowOutputs = 8;

// y = activation(x w^T + bias + residual), where rows of the residual may each serve `repeat` rows
// of y in succession.
struct LinearForward {
    DType dtype;
    Activation activation;
    std::int64_t N, I, O;
    const void* x;  // (N, I)
    std::int64_t ldx;
    const void* w;     // (O, I), contiguous
    const void* bias;  // (O) or null
    void* y;           // (N, O)
    std::int64_t ldy;
    Precision precision = Precision::full;
    const void* residual = nullptr;  // (N / repeat, O), contiguous, or null
    std::int64_t repeat = 1;         // a divisor of N; N * repeat below 2^32
    const void* packed = nullptr;    // what PackWeights made of w for this product, or null
    void* slope = nullptr;  // (N, O), contiguous: with gelu its derivative, or null to drop it
};

// The bound lets a kernel divide a row by `repeat` with one multiplication.
constexpr bool valid_repeat(const LinearForward& a) {
    return a.repeat >= 1 && a.N % a.repeat == 0 && a.N < (std::int64_t{1} << 32) / a.repeat;
}

// dx = dy w. With activation_below other than none, dx is also multiplied by that activation's
// derivative, taken from y_below, the output of the layer below (of gelu, the slope that its
// forward pass stored): dx is then the gradient before the activation. `dx` may not alias `dy`; it
// may alias `y_below`.
struct LinearInputGradient {
    DType dtype;
    Activation activation_below;
    std::int64_t N, I, O;
    const void* dy;  // (N, O)
    std::int64_t lddy;
    const void* w;        // (O, I), contiguous
    const void* y_below;  // (N, I) contiguous, or null with Activation::none
    void* dx;             // (N, I)
    std::int64_t lddx;
    Precision precision = Precision::full;
    const void* packed = nullptr;  // what PackWeights made of w for this product, or null
};

// Weights in the order in which a product reads them, made once for all that read the same ones.
// The order is the implementation's own: only kernels of the same table read it. With it a product
// has the bits that it has without.
enum class PackedFor : std::uint8_t { forward, input_gradient };

struct PackWeights {
    DType dtype;
    PackedFor product;
    std::int64_t I, O;
    const void* w;  // (O, I), contiguous
    void* packed;   // (packed_weights_size)
};

// Elements: whole vectors of any instruction set in both dimensions.
constexpr std::int64_t packed_weights_size(PackedFor product, std::int64_t I, std::int64_t O) {
    const std::int64_t columns = product == PackedFor::forward ? O : I;
    const std::int64_t depth = product == PackedFor::forward ? I : O;
    return (columns + 63) / 64 * 64 * ((depth + 15) / 16 * 16);
}

// Whether the product reads packed weights: not with so few outputs or so short a depth that it
// goes another way.
constexpr bool worth_packing(PackedFor product, std::int64_t I, std::int64_t O) {
    return O > 12 && (product == PackedFor::input_gradient || I > 12);
}

// dw = dy^T x, db = sum over rows of dy.
struct LinearWeightGradient {
    DType dtype;
    std::int64_t N, I, O;
    const void* dy;  // (N, O)
    std::int64_t lddy;
    const void* x;  // (N, I)
    std::int64_t ldx;
    void* dw;  // (O, I), contiguous
    void* db;  // (O) or null
    Precision precision = Precision::full;
};

// c = op(a) op(b), op being the identity or the transposition. The basic operation that the fused
// ones above are composed of.
struct Matmul {
    DType dtype;
    bool transpose_a, transpose_b;
    std::int64_t M, N, K;
    const void* a;  // (M, K), or (K, M) with transpose_a
    std::int64_t lda;
    const void* b;  // (K, N), or (N, K) with transpose_b
    std::int64_t ldb;
    void* c;  // (M, N)
    std::int64_t ldc;
};

}  // namespace drydock::kernels
