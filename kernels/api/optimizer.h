// Optimizer steps over flat arrays: all parameters of a group are one array of n elements.
#pragma once

#include "kernels/api/hyper.h"

namespace drydock::kernels {

// Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019), in PyTorch's
// order of operations:
//   w *= 1 - rate weight_decay
//   m += (g - m)(1 - beta1);  v = beta2 v + (1 - beta2) g^2
//   w -= step_size m / (sqrt(v) inv_sqrt_bias2 + epsilon)
// and, with a target, Polyak averaging after it: target = (1 - polyak) target + polyak w.
struct AdamStep {
    DType dtype;
    std::int64_t n;
    const void* gradient;         // (n)
    void* parameters;             // (n)
    void* first_moment;           // (n)
    void* second_moment;          // (n)
    const OptimizerHyper* hyper;  // after its tick
    void* target;                 // (n) or null
    double polyak;
};

// target = (1 - polyak) target + polyak source
struct Polyak {
    DType dtype;
    std::int64_t n;
    double polyak;
    const void* source;  // (n)
    void* target;        // (n)
};

// Global-norm clipping in two kernels, with a fixed order of additions. Units are blocks of
// kNormBlock elements; `partials` holds one sum of squares per block.
constexpr std::int64_t kNormBlock = 4096;
constexpr std::int64_t norm_blocks(std::int64_t n) { return (n + kNormBlock - 1) / kNormBlock; }

struct SquaredNorm {
    DType dtype;
    std::int64_t n;
    const void* gradient;  // (n)
    void* partials;        // (norm_blocks(n))
};

// gradient *= min(1, max_norm / (sqrt(sum of partials) + 1e-6)), as PyTorch's clip_grad_norm_.
struct ClipByNorm {
    DType dtype;
    std::int64_t n;
    double max_norm;
    const void* partials;  // (norm_blocks(n))
    void* gradient;        // (n)
};

}  // namespace drydock::kernels
