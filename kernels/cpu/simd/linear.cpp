// A linear layer and its gradients: three products that differ in how the right factor is packed
// and in what happens to a sum before it is stored.
#include "kernels/api/linear.h"

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"
#include "kernels/cpu/simd/layer_stores.h"
#include "kernels/cpu/simd/narrow.h"
#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

Status check_forward(const LinearForward& a) {
    return a.dtype == DType::f32 ? portable::linear_forward().check(a) : Status::unsupported;
}

int64_t forward_units(const LinearForward& a) {
    return a.O <= kNarrow ? quotient_up(a.N, kNarrowRows) : tall_units(a.N, a.O).count();
}

template <Activation activation>
void run_forward_as(const LinearForward& a, int64_t first, int64_t last) {
    const Left x = {static_cast<const float*>(a.x), a.ldx, 1};
    const PackTransposed w = {static_cast<const float*>(a.w), a.I};
    const StoreForward<activation> store = {static_cast<float*>(a.y), a.ldy,
                                            static_cast<const float*>(a.bias)};
    if (a.O <= kNarrow) {
        const int64_t row = first * kNarrowRows, end = smaller(last * kNarrowRows, a.N);
        return narrow_forward(x.data, a.ldx, w.data, a.I, a.O, row, end - row, store);
    }
    const Units units = tall_units(a.N, a.O);
    for (int64_t u = first; u < last; ++u) tall_unit(units.range(u), a.I, x, w, store);
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

int64_t input_gradient_units(const LinearInputGradient& a) {
    return a.O <= kNarrow ? quotient_up(a.N, kNarrowRows) : tall_units(a.N, a.I).count();
}

template <Activation below>
void run_input_gradient_as(const LinearInputGradient& a, int64_t first, int64_t last) {
    const Left dy = {static_cast<const float*>(a.dy), a.lddy, 1};
    const PackRows w = {static_cast<const float*>(a.w), a.I, a.O};
    const StoreInputGradient<below> store = {static_cast<float*>(a.dx), a.lddx,
                                             static_cast<const float*>(a.y_below), a.I};
    if (a.O <= kNarrow) {
        const int64_t row = first * kNarrowRows, end = smaller(last * kNarrowRows, a.N);
        return narrow_input_gradient(dy.data, a.lddy, w.data, a.I, a.O, row, end - row, store);
    }
    const Units units = tall_units(a.N, a.I);
    for (int64_t u = first; u < last; ++u) tall_unit(units.range(u), a.O, dy, w, store);
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

// Three ways by size: few outputs; few inputs, where the transposed product has no idle lanes;
// else.
constexpr int64_t kFewOutputs = 3, kFewInputs = 32;

bool few_outputs(const LinearWeightGradient& a) { return a.O <= kFewOutputs; }
bool few_inputs(const LinearWeightGradient& a) { return a.I <= kFewInputs; }

// Vectors of columns that a strip of few outputs holds: sums enough to hide the fma's latency.
constexpr int kVectorsOfOne = 8, kVectorsOfFew = 4;

DRYDOCK_INLINE int64_t few_outputs_columns(const LinearWeightGradient& a) {
    return (a.O == 1 ? kVectorsOfOne : kVectorsOfFew) * kLanes;
}

int64_t weight_gradient_units(const LinearWeightGradient& a) {
    if (few_outputs(a)) return a.O == 0 ? 0 : quotient_up(a.I, few_outputs_columns(a));
    if (few_inputs(a)) return tall_units(a.I, a.O).count();
    return wide_units(a.O, a.I).count();
}

// For the transposed product.
struct StoreTransposed {
    float* dw;
    int64_t ld;

    DRYDOCK_INLINE void prefetch(int64_t, int64_t, int64_t) const {}
    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, int64_t n, F32 v) const {
        alignas(64) float lanes[kLanes];
        simd::store(lanes, v);
        for (int64_t i = 0; i < n; ++i) dw[(column + i) * ld + row] = lanes[i];
    }
};

void few_outputs_unit(const LinearWeightGradient& a, int64_t unit) {
    const int64_t width = few_outputs_columns(a), column = unit * width;
    const int64_t columns = smaller(width, a.I - column);
    const float* dy = static_cast<const float*>(a.dy);
    const float* x = static_cast<const float*>(a.x) + column;
    float* dw = static_cast<float*>(a.dw) + column;
    if (a.O == 1)
        narrow_weight_strip<1, kVectorsOfOne>(dy, a.lddy, x, a.ldx, a.N, columns, dw, a.I);
    if (a.O == 2)
        narrow_weight_strip<2, kVectorsOfFew>(dy, a.lddy, x, a.ldx, a.N, columns, dw, a.I);
    if (a.O == 3)
        narrow_weight_strip<3, kVectorsOfFew>(dy, a.lddy, x, a.ldx, a.N, columns, dw, a.I);
    if (a.db != nullptr && unit == 0) bias_gradient(a, 0, a.O);
}

void few_inputs_unit(const LinearWeightGradient& a, int64_t unit) {
    const Left x = {static_cast<const float*>(a.x), 1, a.ldx};
    const PackRows dy = {static_cast<const float*>(a.dy), a.lddy, a.N};
    const StoreTransposed store = {static_cast<float*>(a.dw), a.I};
    const UnitRange range = tall_units(a.I, a.O).range(unit);
    tall_unit(range, a.N, x, dy, store);
    if (a.db != nullptr) bias_gradient(a, range.column, range.columns);
}

// Adds the rows of a packed block of dy to the sums of a unit's outputs, in ascending order.
struct BiasSums {
    float* sums;  // null where no bias is wanted
    int64_t strips;

    DRYDOCK_INLINE void operator()(const float* left, int64_t depth) const {
        if (sums == nullptr) return;
        for (int64_t s = 0; s < strips; ++s, left += kLeftStrip) {
            F32 sum = simd::load(sums + s * kLanes);
            for (int64_t d = 0; d < depth; ++d) sum = simd::add(sum, simd::load(left + d * kStrip));
            simd::store(sums + s * kLanes, sum);
        }
    }
};

void wide_weight_unit(const LinearWeightGradient& a, int64_t unit) {
    const Left dy = {static_cast<const float*>(a.dy), 1, a.lddy};
    const PackRows x = {static_cast<const float*>(a.x), a.ldx, a.N};
    const StoreWeightGradient store = {static_cast<float*>(a.dw), a.I};
    const UnitRange range = wide_units(a.O, a.I).range(unit);
    alignas(64) float sums[kWideRows / kStrip * kLanes] = {};
    const bool bias = a.db != nullptr && range.column == 0;
    const BiasSums add_bias = {bias ? sums : nullptr, quotient_up(range.rows, kStrip)};
    wide_unit(range, a.N, dy, x, add_bias, store);
    if (!bias) return;
    for (int64_t o = 0; o < range.rows; ++o) {
        static_cast<float*>(a.db)[range.row + o] = sums[o / kStrip * kLanes + o % kStrip];
    }
}

void run_weight_gradient(const LinearWeightGradient& a, int64_t first, int64_t last) {
    for (int64_t u = first; u < last; ++u) {
        if (few_outputs(a)) {
            few_outputs_unit(a, u);
        } else if (few_inputs(a)) {
            few_inputs_unit(a, u);
        } else {
            wide_weight_unit(a, u);
        }
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
