// The parts of a transformer that are not linear layers.

#include "policy/sets.h"

namespace drydock::policy {
namespace {

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

template <class Fma>
DRYDOCK_INLINE void normalise_row(const Norm& norm, float epsilon, std::uint32_t n, const float* x,
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

template <class Fma>
DRYDOCK_INLINE void attend_row(const drydock_policy& p, const float* query, const Rows& key_value,
                               std::uint32_t keys, float* scores, float* out) {
    const Architecture& a = p.architecture;
    const float scale = p.transformer.attention_scale;
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

}  // namespace

void Portable::layer_norm(const Norm& norm, float epsilon, std::uint32_t n, const float* x,
                          float* y) {
    normalise_row<Fma>(norm, epsilon, n, x, y);
}
void Portable::attend(const drydock_policy& policy, const float* query, const Rows& key_value,
                      std::uint32_t keys, float* scores, float* out) {
    attend_row<Fma>(policy, query, key_value, keys, scores, out);
}

#if defined(__x86_64__)
DRYDOCK_AVX2 void Avx2::layer_norm(const Norm& norm, float epsilon, std::uint32_t n, const float* x,
                                   float* y) {
    normalise_row<Fma>(norm, epsilon, n, x, y);
}
DRYDOCK_AVX2 void Avx2::attend(const drydock_policy& policy, const float* query,
                               const Rows& key_value, std::uint32_t keys, float* scores,
                               float* out) {
    attend_row<Fma>(policy, query, key_value, keys, scores, out);
}
#endif

}  // namespace drydock::policy
