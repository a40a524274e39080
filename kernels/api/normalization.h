// Layer normalisation (Ba, Kiros and Hinton 2016) over rows of D elements, and its two gradients.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

// y = (x - mean) / sqrt(variance + epsilon) weight + bias, with the mean and the population
// variance of each row. `statistics` keeps mean and 1 / sqrt(variance + epsilon) for the gradients.
struct LayerNorm {
    DType dtype;
    double epsilon;
    std::int64_t N, D;
    const void* x;       // (N, D)
    const void* weight;  // (D)
    const void* bias;    // (D)
    void* y;             // (N, D), may alias x
    void* statistics;    // (N, 2)
};

// With g = dy weight and h the normalised row: dx = (g - mean(g) - h mean(g h)) inverse deviation.
struct LayerNormInputGradient {
    DType dtype;
    std::int64_t N, D;
    const void* dy;          // (N, D)
    const void* x;           // (N, D)
    const void* weight;      // (D)
    const void* statistics;  // (N, 2)
    void* dx;                // (N, D), may alias dy
};

// dweight = sum over rows of dy h, dbias = sum over rows of dy, rows in ascending order.
struct LayerNormWeightGradient {
    DType dtype;
    std::int64_t N, D;
    const void* dy;          // (N, D)
    const void* x;           // (N, D)
    const void* statistics;  // (N, 2)
    void* dweight;           // (D)
    void* dbias;             // (D)
};

}  // namespace drydock::kernels
