// Losses that return their value and their gradient in one pass.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

// Expectile regression (Kostrikov et al. 2022, "Offline RL with Implicit Q-Learning", eq. 5):
//   loss = mean |expectile - 1(u < 0)| u^2,  du = 2 |expectile - 1(u < 0)| u / N
// with u = target - prediction. At u = 0 the weight is `expectile` and the gradient 0.
struct ExpectileLoss {
    DType dtype;
    double expectile;  // in (0, 1)
    std::int64_t N;
    const void* u;  // (N)
    void* loss;     // scalar
    void* du;       // (N) or null; may alias u
};

// loss = mean (a - b)^2, da = 2 (a - b) / N. The gradient of b is -da.
struct MseLoss {
    DType dtype;
    std::int64_t N;
    const void* a;  // (N)
    const void* b;  // (N)
    void* loss;     // scalar
    void* da;       // (N) or null; may alias a
};

// Log-density of a diagonal Gaussian, summed over the last dimension:
//   log_prob[n] = sum_j -(x - mean)^2 / (2 s^2) - log s - log(2 pi) / 2,  s = exp(log_std[j])
struct GaussianLogProb {
    DType dtype;
    std::int64_t N, A;
    const void* mean;     // (N, A)
    const void* log_std;  // (A)
    const void* x;        // (N, A)
    void* log_prob;       // (N)
};

// dmean = g (x - mean) / s^2, dlog_std[j] = sum_n g ((x - mean)^2 / s^2 - 1)
struct GaussianLogProbGradient {
    DType dtype;
    std::int64_t N, A;
    const void* g;        // (N)
    const void* mean;     // (N, A)
    const void* log_std;  // (A)
    const void* x;        // (N, A)
    void* dmean;          // (N, A), may alias mean
    void* dlog_std;       // (A)
};

}  // namespace drydock::kernels
