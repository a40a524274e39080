// The parts of a transformer that are not linear layers, in a fixed order of operations.
#pragma once

#include "policy/dense.h"

namespace drydock::policy {

// Sixteen running sums, of which sum s takes the elements k with k mod 16 = s in ascending order;
// they are added in halves: s and s + 8, then + 4, + 2, + 1.
constexpr std::uint32_t kSums = 16;

DRYDOCK_INLINE float add_sums(float (&sum)[kSums]) {
    for (std::uint32_t half = kSums / 2; half > 0; half /= 2) {
        for (std::uint32_t j = 0; j < half; ++j) {
            sum[j] += sum[j + half];
        }
    }
    return sum[0];
}

DRYDOCK_INLINE float total(const float* x, std::uint32_t n) {
    float sum[kSums] = {};
    const std::uint32_t whole = n - n % kSums;
    for (std::uint32_t k = 0; k < whole; k += kSums) {
        for (std::uint32_t j = 0; j < kSums; ++j) {
            sum[j] += x[k + j];
        }
    }
    for (std::uint32_t k = whole; k < n; ++k) {
        sum[k - whole] += x[k];
    }
    return add_sums(sum);
}

template <class Fma>
DRYDOCK_INLINE float dot(const float* __restrict a, const float* __restrict b, std::uint32_t n) {
    float sum[kSums] = {};
    const std::uint32_t whole = n - n % kSums;
    for (std::uint32_t k = 0; k < whole; k += kSums) {
        for (std::uint32_t j = 0; j < kSums; ++j) {
            sum[j] = Fma::fma(a[k + j], b[k + j], sum[j]);
        }
    }
    for (std::uint32_t k = whole; k < n; ++k) {
        sum[k - whole] = Fma::fma(a[k], b[k], sum[k - whole]);
    }
    return add_sums(sum);
}

// y = (x - mean) / sqrt(variance + epsilon) weight + bias; y may be x.
template <class Fma>
DRYDOCK_INLINE void layer_norm(const Norm& norm, float epsilon, std::uint32_t n, const float* x,
                               float* y) {
    const auto count = static_cast<float>(n);
    const float mean = total(x, n) / count;
    for (std::uint32_t i = 0; i < n; ++i) {
        y[i] = x[i] - mean;
    }
    const float variance = dot<Fma>(y, y, n) / count;
    const float inverse = 1.0f / __builtin_sqrtf(variance + epsilon);
    for (std::uint32_t i = 0; i < n; ++i) {
        y[i] = Fma::fma(y[i] * inverse, norm.weight[i], norm.bias[i]);
    }
}

// One query over the keys of rows [0, keys): scores, softmax from the oldest on, the sum of values.
// A row of key_value is all keys, then all values.
template <class Fma>
DRYDOCK_INLINE void attend(const Architecture& a, float scale, const float* query,
                           const Rows& key_value, std::uint32_t keys, float* scores, float* out) {
    const std::uint32_t width = a.embedding_dim / a.heads;
    for (std::uint32_t first = 0; first < a.embedding_dim; first += width) {
        float highest = -__builtin_inff();
        for (std::uint32_t j = 0; j < keys; ++j) {
            scores[j] = scale * dot<Fma>(query + first, key_value[j] + first, width);
            highest = scores[j] > highest ? scores[j] : highest;
        }
        for (std::uint32_t j = 0; j < keys; ++j) {
            scores[j] = drydock::exp<Fma>(scores[j] - highest);
        }
        float sum = 0.0f;
        for (std::uint32_t j = 0; j < keys; ++j) {
            sum += scores[j];
        }
        float* const mixed = out + first;
        for (std::uint32_t i = 0; i < width; ++i) {
            mixed[i] = 0.0f;
        }
        for (std::uint32_t j = 0; j < keys; ++j) {
            const float weight = scores[j];
            const float* const value = key_value[j] + a.embedding_dim + first;
            for (std::uint32_t i = 0; i < width; ++i) {
                mixed[i] = Fma::fma(weight, value[i], mixed[i]);
            }
        }
        const float inverse = 1.0f / sum;
        for (std::uint32_t i = 0; i < width; ++i) {
            mixed[i] *= inverse;
        }
    }
}

}  // namespace drydock::policy
