// Losses with their gradients. A loss is one sum over its whole input and so a single unit; the
// sums are in double.
#include "kernels/api/losses.h"

#include <cmath>

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

constexpr double kHalfLogTwoPi = 0.91893853320467274178;

template <class Args>
Status check_mean(const Args& l) {
    return valid(is_float(l.dtype) && l.N >= 1);
}

Status check_expectile(const ExpectileLoss& l) {
    return valid(check_mean(l) == Status::ok && l.expectile > 0 && l.expectile < 1);
}

template <class Args>
std::int64_t one_unit(const Args&) {
    return 1;
}

template <class T>
void expectile_unit(const ExpectileLoss& l, std::int64_t) {
    const T* u = static_cast<const T*>(l.u);
    T* du = static_cast<T*>(l.du);
    const T above = static_cast<T>(l.expectile), below = static_cast<T>(1 - l.expectile);
    const T scale = T(2) / static_cast<T>(l.N);
    const double sum = sum_terms(l.N, [&](std::int64_t i) {
        const T v = u[i], weighted = (v < 0 ? below : above) * v;
        if (du != nullptr) du[i] = scale * weighted;
        return double{weighted * v};
    });
    *static_cast<T*>(l.loss) = static_cast<T>(sum / static_cast<double>(l.N));
}

template <class T>
void mse_unit(const MseLoss& l, std::int64_t) {
    const T *a = static_cast<const T*>(l.a), *b = static_cast<const T*>(l.b);
    T* da = static_cast<T*>(l.da);
    const T scale = T(2) / static_cast<T>(l.N);
    const double sum = sum_terms(l.N, [&](std::int64_t i) {
        const T error = a[i] - b[i];
        if (da != nullptr) da[i] = scale * error;
        return double{error * error};
    });
    *static_cast<T*>(l.loss) = static_cast<T>(sum / static_cast<double>(l.N));
}

template <class Args>
Status check_gaussian(const Args& g) {
    return valid(is_float(g.dtype) && g.N >= 0 && g.A >= 1);
}

std::int64_t log_prob_units(const GaussianLogProb& g) { return ceil_div(g.N, rows_per_unit(g.A)); }

// Column by column, so that a column's exponential is taken once.
template <class T>
void log_prob_unit(const GaussianLogProb& g, std::int64_t unit) {
    const Range r = block_range(unit, rows_per_unit(g.A), g.N);
    const T *mean = static_cast<const T*>(g.mean), *x = static_cast<const T*>(g.x);
    T* log_prob = static_cast<T*>(g.log_prob);
    std::fill(log_prob + r.first, log_prob + r.last, T(0));
    for (std::int64_t j = 0; j < g.A; ++j) {
        const T log_std = static_cast<const T*>(g.log_std)[j];
        const T inverse_std = std::exp(-log_std);
        const T constant = log_std + static_cast<T>(kHalfLogTwoPi);
        for (std::int64_t n = r.first; n < r.last; ++n) {
            const T z = (x[n * g.A + j] - mean[n * g.A + j]) * inverse_std;
            log_prob[n] -= z * z / 2 + constant;
        }
    }
}

constexpr std::int64_t kGradientColumns = 16;

std::int64_t log_prob_gradient_units(const GaussianLogProbGradient& g) {
    return ceil_div(g.A, kGradientColumns);
}

template <class T>
void log_prob_gradient_column(const GaussianLogProbGradient& g, std::int64_t j) {
    const T* upstream = static_cast<const T*>(g.g);
    const T *mean = static_cast<const T*>(g.mean), *x = static_cast<const T*>(g.x);
    T* dmean = static_cast<T*>(g.dmean);
    const T inverse_std = std::exp(-static_cast<const T*>(g.log_std)[j]);
    const double sum = sum_terms(g.N, [&](std::int64_t n) {
        const std::int64_t i = n * g.A + j;
        const T z = (x[i] - mean[i]) * inverse_std;
        dmean[i] = upstream[n] * z * inverse_std;
        return double{upstream[n] * (z * z - 1)};
    });
    static_cast<T*>(g.dlog_std)[j] = static_cast<T>(sum);
}

template <class T>
void log_prob_gradient_unit(const GaussianLogProbGradient& g, std::int64_t unit) {
    const Range columns = block_range(unit, kGradientColumns, g.A);
    for (std::int64_t j = columns.first; j < columns.last; ++j) log_prob_gradient_column<T>(g, j);
}

}  // namespace

CpuKernel<ExpectileLoss> expectile_loss() {
    return {check_expectile, one_unit<ExpectileLoss>,
            run_units<ExpectileLoss, expectile_unit<float>, expectile_unit<double>>};
}

CpuKernel<MseLoss> mse_loss() {
    return {check_mean<MseLoss>, one_unit<MseLoss>,
            run_units<MseLoss, mse_unit<float>, mse_unit<double>>};
}

CpuKernel<GaussianLogProb> gaussian_log_prob() {
    return {check_gaussian<GaussianLogProb>, log_prob_units,
            run_units<GaussianLogProb, log_prob_unit<float>, log_prob_unit<double>>};
}

CpuKernel<GaussianLogProbGradient> gaussian_log_prob_gradient() {
    return {check_gaussian<GaussianLogProbGradient>, log_prob_gradient_units,
            run_units<GaussianLogProbGradient, log_prob_gradient_unit<float>,
                      log_prob_gradient_unit<double>>};
}

}  // namespace drydock::kernels::portable
