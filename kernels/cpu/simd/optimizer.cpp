// Adam and Polyak averaging over flat arrays: bound by memory, so nothing is contracted to fma and
// the results are those of the portable kernels, bit for bit.
#include "kernels/api/optimizer.h"

#include "base/simd.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

constexpr int64_t kBlock = 8192;  // elements of a unit, a multiple of kLanes

int64_t adam_units(const AdamStep& a) { return (a.n + kBlock - 1) / kBlock; }

int64_t polyak_units(const Polyak& p) { return (p.n + kBlock - 1) / kBlock; }

// Calls body(i, n) for the vectors of units [first, last): n elements from i on. Callers pass
// closures that are always inlined.
template <class F>
DRYDOCK_INLINE void for_vectors(int64_t first, int64_t last, int64_t size, const F& body) {
    const int64_t end = last * kBlock < size ? last * kBlock : size;
    for (int64_t i = first * kBlock; i < end; i += kLanes) {
        body(i, end - i < kLanes ? end - i : kLanes);
    }
}

// target = keep target + take source, for n elements.
struct Average {
    F32 keep, take;

    DRYDOCK_INLINE explicit Average(double polyak)
        : keep(simd::broadcast(static_cast<float>(1 - polyak))),
          take(simd::broadcast(static_cast<float>(polyak))) {}

    DRYDOCK_INLINE void operator()(float* target, F32 source, int64_t n) const {
        const F32 old = simd::load_first(target, n);
        simd::store_first(target, simd::add(simd::mul(keep, old), simd::mul(take, source)), n);
    }
};

struct AdamVectors {
    F32 decay, take1, keep2, take2, step_size, inv_sqrt_bias2, epsilon;

    DRYDOCK_INLINE explicit AdamVectors(const OptimizerHyper& h)
        : decay(simd::broadcast(static_cast<float>(1 - h.rate * h.weight_decay))),
          take1(simd::broadcast(static_cast<float>(1 - h.beta1))),
          keep2(simd::broadcast(static_cast<float>(h.beta2))),
          take2(simd::broadcast(static_cast<float>(1 - h.beta2))),
          step_size(simd::broadcast(static_cast<float>(h.step_size))),
          inv_sqrt_bias2(simd::broadcast(static_cast<float>(h.inv_sqrt_bias2))),
          epsilon(simd::broadcast(static_cast<float>(h.epsilon))) {}

    DRYDOCK_INLINE F32 first_moment(F32 m, F32 g) const {
        return simd::add(m, simd::mul(simd::sub(g, m), take1));
    }
    DRYDOCK_INLINE F32 second_moment(F32 v, F32 g) const {
        return simd::add(simd::mul(keep2, v), simd::mul(simd::mul(take2, g), g));
    }
    DRYDOCK_INLINE F32 parameter(F32 w, F32 m, F32 v) const {
        const F32 root = simd::add(simd::mul(simd::sqrt(v), inv_sqrt_bias2), epsilon);
        return simd::sub(simd::mul(w, decay), simd::div(simd::mul(step_size, m), root));
    }
};

Status check_adam(const AdamStep& a) {
    return a.dtype == DType::f32 ? portable::adam_step().check(a) : Status::unsupported;
}

void run_adam(const AdamStep& a, int64_t first, int64_t last) {
    const AdamVectors adam(*a.hyper);
    const Average average(a.polyak);
    const float* gradient = static_cast<const float*>(a.gradient);
    float* parameters = static_cast<float*>(a.parameters);
    float* moment1 = static_cast<float*>(a.first_moment);
    float* moment2 = static_cast<float*>(a.second_moment);
    float* target = static_cast<float*>(a.target);
    for_vectors(
        first, last, a.n, [&](int64_t i, int64_t n) __attribute__((always_inline)) {
            const F32 g = simd::load_first(gradient + i, n);
            const F32 m = adam.first_moment(simd::load_first(moment1 + i, n), g);
            const F32 v = adam.second_moment(simd::load_first(moment2 + i, n), g);
            const F32 w = adam.parameter(simd::load_first(parameters + i, n), m, v);
            simd::store_first(moment1 + i, m, n);
            simd::store_first(moment2 + i, v, n);
            simd::store_first(parameters + i, w, n);
            if (target != nullptr) average(target + i, w, n);
        });
}

Status check_polyak(const Polyak& p) {
    return p.dtype == DType::f32 ? portable::polyak().check(p) : Status::unsupported;
}

void run_polyak(const Polyak& p, int64_t first, int64_t last) {
    const Average average(p.polyak);
    const float* source = static_cast<const float*>(p.source);
    float* target = static_cast<float*>(p.target);
    for_vectors(
        first, last, p.n, [&](int64_t i, int64_t n) __attribute__((always_inline)) {
            average(target + i, simd::load_first(source + i, n), n);
        });
}

}  // namespace

CpuKernel<AdamStep> adam_step() { return {check_adam, adam_units, run_adam}; }

CpuKernel<Polyak> polyak() { return {check_polyak, polyak_units, run_polyak}; }

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
