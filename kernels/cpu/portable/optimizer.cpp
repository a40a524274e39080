// Optimizer steps. Scalars are prepared in double and rounded once to the element type, which is
// also PyTorch's way.
#include "kernels/api/optimizer.h"

#include <cmath>

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

template <class Args>
Status check_flat(const Args& a) {
    return valid(is_float(a.dtype) && a.n >= 0);
}

template <class Args>
std::int64_t blocks(const Args& a) {
    return ceil_div(a.n, kBlock);
}

template <class T>
void polyak_range(const T* source, T* target, double polyak, Range r) {
    const T keep = static_cast<T>(1 - polyak), take = static_cast<T>(polyak);
    for (std::int64_t i = r.first; i < r.last; ++i) {
        target[i] = keep * target[i] + take * source[i];
    }
}

template <class T>
void adam_unit(const AdamStep& a, std::int64_t unit) {
    const Range r = block_range(unit, kBlock, a.n);
    const OptimizerHyper& h = *a.hyper;
    const T decay = static_cast<T>(1 - h.rate * h.weight_decay);
    const T take1 = static_cast<T>(1 - h.beta1);
    const T keep2 = static_cast<T>(h.beta2), take2 = static_cast<T>(1 - h.beta2);
    const T step_size = static_cast<T>(h.step_size), epsilon = static_cast<T>(h.epsilon);
    const T inv_sqrt_bias2 = static_cast<T>(h.inv_sqrt_bias2);
    const T* g = static_cast<const T*>(a.gradient);
    T* w = static_cast<T*>(a.parameters);
    T *m = static_cast<T*>(a.first_moment), *v = static_cast<T*>(a.second_moment);
    for (std::int64_t i = r.first; i < r.last; ++i) {
        m[i] += (g[i] - m[i]) * take1;
        v[i] = keep2 * v[i] + take2 * g[i] * g[i];
        w[i] = w[i] * decay - step_size * m[i] / (std::sqrt(v[i]) * inv_sqrt_bias2 + epsilon);
    }
    if (a.target != nullptr) polyak_range(w, static_cast<T*>(a.target), a.polyak, r);
}

template <class T>
void polyak_unit(const Polyak& p, std::int64_t unit) {
    polyak_range(static_cast<const T*>(p.source), static_cast<T*>(p.target), p.polyak,
                 block_range(unit, kBlock, p.n));
}

std::int64_t squared_norm_units(const SquaredNorm& s) { return norm_blocks(s.n); }

template <class T>
void squared_norm_unit(const SquaredNorm& s, std::int64_t unit) {
    const Range r = block_range(unit, kNormBlock, s.n);
    const T* g = static_cast<const T*>(s.gradient) + r.first;
    const double sum =
        sum_terms(r.last - r.first, [&](std::int64_t i) { return double{g[i]} * double{g[i]}; });
    static_cast<T*>(s.partials)[unit] = static_cast<T>(sum);
}

std::int64_t clip_units(const ClipByNorm& c) { return norm_blocks(c.n); }

// Every unit adds up the few partials for itself: that is cheaper than another kernel.
template <class T>
void clip_unit(const ClipByNorm& c, std::int64_t unit) {
    const T* partials = static_cast<const T*>(c.partials);
    const double sum =
        sum_terms(norm_blocks(c.n), [&](std::int64_t i) { return double{partials[i]}; });
    const double wanted = c.max_norm / (std::sqrt(sum) + 1e-6);
    const T scale = static_cast<T>(wanted > 1 ? 1 : wanted);  // NaN stays and shows
    const Range r = block_range(unit, kNormBlock, c.n);
    T* g = static_cast<T*>(c.gradient);
    for (std::int64_t i = r.first; i < r.last; ++i) g[i] *= scale;
}

}  // namespace

CpuKernel<AdamStep> adam_step() {
    return {check_flat<AdamStep>, blocks<AdamStep>,
            run_units<AdamStep, adam_unit<float>, adam_unit<double>>};
}

CpuKernel<Polyak> polyak() {
    return {check_flat<Polyak>, blocks<Polyak>,
            run_units<Polyak, polyak_unit<float>, polyak_unit<double>>};
}

CpuKernel<SquaredNorm> squared_norm() {
    return {check_flat<SquaredNorm>, squared_norm_units,
            run_units<SquaredNorm, squared_norm_unit<float>, squared_norm_unit<double>>};
}

CpuKernel<ClipByNorm> clip_by_norm() {
    return {check_flat<ClipByNorm>, clip_units,
            run_units<ClipByNorm, clip_unit<float>, clip_unit<double>>};
}

}  // namespace drydock::kernels::portable
