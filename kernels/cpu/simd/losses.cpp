// Expectile loss: gradient and value in one pass over the advantages.
#include "kernels/api/losses.h"

#include "base/simd.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

Status check_expectile(const ExpectileLoss& l) {
    return l.dtype == DType::f32 ? portable::expectile_loss().check(l) : Status::unsupported;
}

int64_t expectile_units(const ExpectileLoss&) { return 1; }

struct Weights {
    F32 above, below, scale;  // for u >= 0, for u < 0, and 2 / N
};

// Writes du for n <= kLanes elements and returns their losses, 0 behind the first n.
DRYDOCK_INLINE F32 expectile_step(const Weights& w, const float* u, float* du, int64_t n) {
    const F32 v = simd::load_first(u, n);
    const F32 weight = simd::select(simd::greater(simd::zero(), v), w.below, w.above);
    const F32 weighted = simd::mul(weight, v);
    if (du != nullptr) simd::store_first(du, simd::mul(w.scale, weighted), n);
    return simd::mul(weighted, v);
}

void run_expectile(const ExpectileLoss& l, int64_t first, int64_t last) {
    if (first >= last) return;
    const float* u = static_cast<const float*>(l.u);
    float* du = static_cast<float*>(l.du);
    const Weights w = {simd::broadcast(static_cast<float>(l.expectile)),
                       simd::broadcast(static_cast<float>(1 - l.expectile)),
                       simd::broadcast(2.0f / static_cast<float>(l.N))};
    double total = 0;  // of sums over kLanes elements, so that the error does not grow with N
    for (int64_t i = 0; i < l.N; i += kLanes) {
        const int64_t n = l.N - i < kLanes ? l.N - i : kLanes;
        total += simd::sum(expectile_step(w, u + i, du == nullptr ? du : du + i, n));
    }
    *static_cast<float*>(l.loss) = static_cast<float>(total / static_cast<double>(l.N));
}

}  // namespace

CpuKernel<ExpectileLoss> expectile_loss() {
    return {check_expectile, expectile_units, run_expectile};
}

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
