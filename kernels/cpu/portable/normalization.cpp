// Layer normalisation. Means and variances are accumulated in double; the gradients of weight and
// bias split the columns over units, so that one unit adds all rows, in order.
#include "kernels/api/normalization.h"

#include <cmath>

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

constexpr std::int64_t kColumns = 32;

template <class Args>
Status check(const Args& a) {
    return valid(is_float(a.dtype) && a.N >= 0 && a.D >= 1);
}

template <class Args>
std::int64_t row_units(const Args& a) {
    return ceil_div(a.N, rows_per_unit(a.D));
}

template <class T>
void forward_row(const LayerNorm& a, std::int64_t n) {
    const T *x = static_cast<const T*>(a.x) + n * a.D, *w = static_cast<const T*>(a.weight);
    const T* b = static_cast<const T*>(a.bias);
    T *y = static_cast<T*>(a.y) + n * a.D, *statistics = static_cast<T*>(a.statistics) + 2 * n;
    const auto count = static_cast<double>(a.D);
    const double mean = sum_terms(a.D, [&](std::int64_t i) { return double{x[i]}; }) / count;
    const double variance = sum_terms(a.D,
                                      [&](std::int64_t i) {
                                          const double d = x[i] - mean;
                                          return d * d;
                                      }) /
                            count;
    const T middle = static_cast<T>(mean);
    const T inverse = static_cast<T>(1.0 / std::sqrt(variance + a.epsilon));
    for (std::int64_t i = 0; i < a.D; ++i) y[i] = (x[i] - middle) * inverse * w[i] + b[i];
    statistics[0] = middle;
    statistics[1] = inverse;
}

template <class T>
void forward_unit(const LayerNorm& a, std::int64_t unit) {
    const Range r = block_range(unit, rows_per_unit(a.D), a.N);
    for (std::int64_t n = r.first; n < r.last; ++n) forward_row<T>(a, n);
}

template <class T>
void input_gradient_row(const LayerNormInputGradient& a, std::int64_t n) {
    const T *dy = static_cast<const T*>(a.dy) + n * a.D, *x = static_cast<const T*>(a.x) + n * a.D;
    const T *w = static_cast<const T*>(a.weight),
            *statistics = static_cast<const T*>(a.statistics) + 2 * n;
    T* dx = static_cast<T*>(a.dx) + n * a.D;
    const T mean = statistics[0], inverse = statistics[1];
    const auto count = static_cast<double>(a.D);
    const auto g = [&](std::int64_t i) { return dy[i] * w[i]; };
    const auto h = [&](std::int64_t i) { return (x[i] - mean) * inverse; };
    const T level =
        static_cast<T>(sum_terms(a.D, [&](std::int64_t i) { return double{g(i)}; }) / count);
    const T slope = static_cast<T>(
        sum_terms(a.D, [&](std::int64_t i) { return double{g(i)} * double{h(i)}; }) / count);
    for (std::int64_t i = 0; i < a.D; ++i) dx[i] = (g(i) - level - h(i) * slope) * inverse;
}

template <class T>
void input_gradient_unit(const LayerNormInputGradient& a, std::int64_t unit) {
    const Range r = block_range(unit, rows_per_unit(a.D), a.N);
    for (std::int64_t n = r.first; n < r.last; ++n) input_gradient_row<T>(a, n);
}

std::int64_t weight_units(const LayerNormWeightGradient& a) { return ceil_div(a.D, kColumns); }

template <class T>
void weight_gradient_unit(const LayerNormWeightGradient& a, std::int64_t unit) {
    const Range r = block_range(unit, kColumns, a.D);
    const T* statistics = static_cast<const T*>(a.statistics);
    double weights[kColumns] = {}, biases[kColumns] = {};
    for (std::int64_t n = 0; n < a.N; ++n) {
        const T* dy = static_cast<const T*>(a.dy) + n * a.D + r.first;
        const T* x = static_cast<const T*>(a.x) + n * a.D + r.first;
        const T mean = statistics[2 * n], inverse = statistics[2 * n + 1];
        for (std::int64_t c = 0; c < r.last - r.first; ++c) {
            weights[c] += double{dy[c]} * double{(x[c] - mean) * inverse};
            biases[c] += double{dy[c]};
        }
    }
    for (std::int64_t c = 0; c < r.last - r.first; ++c) {
        static_cast<T*>(a.dweight)[r.first + c] = static_cast<T>(weights[c]);
        static_cast<T*>(a.dbias)[r.first + c] = static_cast<T>(biases[c]);
    }
}

}  // namespace

CpuKernel<LayerNorm> layer_norm() {
    return {check<LayerNorm>, row_units<LayerNorm>,
            run_units<LayerNorm, forward_unit<float>, forward_unit<double>>};
}

CpuKernel<LayerNormInputGradient> layer_norm_input_gradient() {
    return {
        check<LayerNormInputGradient>, row_units<LayerNormInputGradient>,
        run_units<LayerNormInputGradient, input_gradient_unit<float>, input_gradient_unit<double>>};
}

CpuKernel<LayerNormWeightGradient> layer_norm_weight_gradient() {
    return {check<LayerNormWeightGradient>, weight_units,
            run_units<LayerNormWeightGradient, weight_gradient_unit<float>,
                      weight_gradient_unit<double>>};
}

}  // namespace drydock::kernels::portable
