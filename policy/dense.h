// Linear layers on packed weights (policy/pack.h) and activations, once per instruction set. All
// give the same bits.
//
// Hidden layers: one running sum per output, which starts at the bias and takes one fused
// multiply-add per input, in ascending order. Last layer: eight running sums per output, of which
// sum s takes the inputs k with k mod 8 = s in ascending order and sum 0 starts at the bias; they
// are added as ((0+1)+(2+3))+((4+5)+(6+7)). Last layers are narrow: one sum per output would leave
// the processor waiting for each addition.
#pragma once

#include "base/math.h"
#include "policy/model.h"

namespace drydock::policy {

DRYDOCK_INLINE bool is_finite(float x) {
    // By its bits: a comparison might be optimised away in a build with -ffast-math.
    return (__builtin_bit_cast(std::uint32_t, x) & 0x7f800000u) != 0x7f800000u;
}

// The sets have the same members; a kind's forward pass is a template over them.
struct Portable {
    using Fma = DefaultFma;
    // The outputs of a hidden layer for each row, from inputs [begin, end) alone: the sums go on
    // from `start`, which is the bias where begin is 0. Rows of y take padded(layer.out) numbers.
    static void hidden_layer(const Layer& layer, std::uint32_t begin, std::uint32_t end,
                             const float* start, const Rows& x, std::uint64_t rows, const Rows& y);
    // The outputs of a last layer for one row; y takes padded(layer.out) numbers.
    static void last_layer(const Layer& layer, const float* x, float* y);
    // In place; n is a multiple of 8.
    static void activate(Activation activation, float* y, std::uint64_t n);
};

#if defined(__x86_64__)
#define DRYDOCK_AVX2 __attribute__((target("avx2,fma")))
struct Avx2 {
    using Fma = HardwareFma;
    static void hidden_layer(const Layer& layer, std::uint32_t begin, std::uint32_t end,
                             const float* start, const Rows& x, std::uint64_t rows, const Rows& y);
    static void last_layer(const Layer& layer, const float* x, float* y);
    static void activate(Activation activation, float* y, std::uint64_t n);
};
#endif

template <class Set>
DRYDOCK_INLINE void whole_layer(const Layer& layer, const Rows& x, std::uint64_t rows,
                                const Rows& y) {
    Set::hidden_layer(layer, 0, layer.in, layer.bias, x, rows, y);
}

}  // namespace drydock::policy
