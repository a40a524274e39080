// gelu(x) = x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016) and its derivative, for the
// portable kernels.
#pragma once

#include <cmath>
#include <numbers>

namespace drydock::kernels::portable {

// Of the standard normal distribution: the probability below x, and the density.
template <class T>
T normal_cdf(T x) {
    return T(0.5) * (1 + std::erf(x * T(0.5 * std::numbers::sqrt2)));
}
template <class T>
T normal_density(T x) {
    constexpr double kScale = 0.5 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
    return T(kScale) * std::exp(T(-0.5) * x * x);
}

template <class T>
T gelu(T x) {
    return x * normal_cdf(x);
}
template <class T>
T gelu_derivative(T x) {
    return normal_cdf(x) + x * normal_density(x);
}

}  // namespace drydock::kernels::portable
