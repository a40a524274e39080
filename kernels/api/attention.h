// Causal attention of several heads over padded sequences (Vaswani et al. 2017, eq. 1 and section
// 3.2.2), with its gradient. Letters: B sequences, H heads, D the width of one head, T tokens, Q
// queries per sequence.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

// The tokens that one call may attend to: bounds the memory that a unit takes from the stack.
constexpr std::int64_t kMaxAttentionTokens = 1024;

// Query i stands at token query_first + i query_stride and sees the tokens up to its own whose mask
// is not 0. With weights p = softmax(q k / sqrt(D)) over the tokens it sees,
//   out = sum over tokens of m p v
// where m is 1, or with draws 0 for a draw below `rate` and 1 / (1 - rate) otherwise (dropout). A
// query that sees no token gives zeros. log_sum keeps the logarithm of the softmax's denominator,
// from which the gradient forms p again.
struct CausalAttention {
    DType dtype;
    std::int64_t B, H, D, T, Q;
    std::int64_t query_first, query_stride;
    double rate;
    const void* q;      // (B, Q, H, D)
    const void* kv;     // (B, T, 2, H, D): keys, then values
    const void* mask;   // (B, T)
    const void* draws;  // (B, H, Q, T) or null
    void* out;          // (B, Q, H, D)
    void* log_sum;      // (B, H, Q); -infinity for a query that sees no token
};

// dq and dkv from dout, with all operands of the forward pass as it read and left them.
struct CausalAttentionGradient {
    DType dtype;
    CausalAttention forward;
    const void* dout;  // (B, Q, H, D)
    void* dq;          // (B, Q, H, D)
    void* dkv;         // (B, T, 2, H, D)
};

}  // namespace drydock::kernels
