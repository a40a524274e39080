// A linear layer and its gradients: three products that differ in how the right factor is packed
// and in what happens to a sum before it is stored.
#include "kernels/api/linear.h"

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"
#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

Status check_forward(const LinearForward& a) {
    return a.dtype == DType::f32 ? portable::linear_forward().check(a) : Status::unsupported;
}

int64_t forward_units(const LinearForward& a) { return product_units(a.N, a.O); }

// Adds the bias and applies the activation.
template <Activation activation>
struct StoreForward {
    float* y;
    int64_t ld;
    const float* bias;

    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, int64_t n, F32 v) const {
        if (bias != nullptr) v = simd::add(v, simd::load_first(bias + column, n));
        if (activation == Activation::relu) v = simd::max(simd::zero(), v);
        float* out = y + row * ld + column;
        simd::store_first(out, v, n);
        if (activation == Activation::tanh) {
            for (int64_t i = 0; i < n; ++i) out[i] = __builtin_tanhf(out[i]);
        }
    }
};

template <Activation activation>
void run_forward_as(const LinearForward& a, int64_t first, int64_t last) {
    const Left x = {static_cast<const float*>(a.x), a.ldx, 1};
    const PackTransposed w = {static_cast<const float*>(a.w), a.I};
    const StoreForward<activation> store = {static_cast<float*>(a.y), a.ldy,
                                            static_cast<const float*>(a.bias)};
    for (int64_t u = first; u < last; ++u) product_unit(unit_range(u, a.N, a.O), a.I, x, w, store);
}

void run_forward(const LinearForward& a, int64_t first, int64_t last) {
    switch (a.activation) {
        case Activation::none:
            return run_forward_as<Activation::none>(a, first, last);
        case Activation::relu:
            return run_forward_as<Activation::relu>(a, first, last);
        case Activation::tanh:
            return run_forward_as<Activation::tanh>(a, first, last);
    }
}

Status check_input_gradient(const LinearInputGradient& a) {
    return a.dtype == DType::f32 ? portable::linear_input_gradient().check(a) : Status::unsupported;
}

int64_t input_gradient_units(const LinearInputGradient& a) { return product_units(a.N, a.I); }

// Multiplies by the derivative of the activation below.
template <Activation below>
struct StoreInputGradient {
    float* dx;
    int64_t ld;
    const float* y_below;
    int64_t ld_below;

    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, int64_t n, F32 v) const {
        if (below != Activation::none) {
            const F32 y = simd::load_first(y_below + row * ld_below + column, n);
            if (below == Activation::relu) {
                v = simd::select(simd::greater(y, simd::zero()), v, simd::zero());
            } else {
                v = simd::mul(v, simd::sub(simd::broadcast(1), simd::mul(y, y)));
            }
        }
        simd::store_first(dx + row * ld + column, v, n);
    }
};

template <Activation below>
void run_input_gradient_as(const LinearInputGradient& a, int64_t first, int64_t last) {
    const Left dy = {static_cast<const float*>(a.dy), a.lddy, 1};
    const PackRows w = {static_cast<const float*>(a.w), a.I};
    const StoreInputGradient<below> store = {static_cast<float*>(a.dx), a.lddx,
                                             static_cast<const float*>(a.y_below), a.I};
    for (int64_t u = first; u < last; ++u) product_unit(unit_range(u, a.N, a.I), a.O, dy, w, store);
}

void run_input_gradient(const LinearInputGradient& a, int64_t first, int64_t last) {
    switch (a.activation_below) {
        case Activation::none:
            return run_input_gradient_as<Activation::none>(a, first, last);
        case Activation::relu:
            return run_input_gradient_as<Activation::relu>(a, first, last);
        case Activation::tanh:
            return run_input_gradient_as<Activation::tanh>(a, first, last);
    }
}

Status check_weight_gradient(const LinearWeightGradient& a) {
    return a.dtype == DType::f32 ? portable::linear_weight_gradient().check(a)
                                 : Status::unsupported;
}

int64_t weight_gradient_units(const LinearWeightGradient& a) { return product_units(a.O, a.I); }

struct StoreWeightGradient {
    float* dw;
    int64_t ld;

    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, int64_t n, F32 v) const {
        simd::store_first(dw + row * ld + column, v, n);
    }
};

// The rows are added in ascending order, in the units of the first panel.
DRYDOCK_INLINE void bias_gradient(const LinearWeightGradient& a, const UnitRange& u) {
    for (int64_t o = 0; o < u.rows; o += kLanes) {
        const int64_t n = smaller(kLanes, u.rows - o);
        const float* dy = static_cast<const float*>(a.dy) + u.row + o;
        F32 sums = simd::zero();
        for (int64_t r = 0; r < a.N; ++r, dy += a.lddy) {
            sums = simd::add(sums, simd::load_first(dy, n));
        }
        simd::store_first(static_cast<float*>(a.db) + u.row + o, sums, n);
    }
}

void run_weight_gradient(const LinearWeightGradient& a, int64_t first, int64_t last) {
    const Left dy = {static_cast<const float*>(a.dy), 1, a.lddy};
    const PackRows x = {static_cast<const float*>(a.x), a.ldx};
    const StoreWeightGradient store = {static_cast<float*>(a.dw), a.I};
    for (int64_t u = first; u < last; ++u) {
        const UnitRange range = unit_range(u, a.O, a.I);
        product_unit(range, a.N, dy, x, store);
        if (a.db != nullptr && range.column == 0) bias_gradient(a, range);
    }
}

}  // namespace

CpuKernel<LinearForward> linear_forward() { return {check_forward, forward_units, run_forward}; }

CpuKernel<LinearInputGradient> linear_input_gradient() {
    return {check_input_gradient, input_gradient_units, run_input_gradient};
}

CpuKernel<LinearWeightGradient> linear_weight_gradient() {
    return {check_weight_gradient, weight_gradient_units, run_weight_gradient};
}

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
