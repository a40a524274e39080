// The three kernels of a linear layer in Precision::bf16, for any Block of product.h.
#pragma once

#include "kernels/api/linear.h"
#include "kernels/cpu/bf16/product.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/layer_stores.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

// Units of a product with a row of the batch per row: the left factor is rounded once for as many
// columns as leave units for every thread. And of a weight's gradient, which reads whole rows of x.
DRYDOCK_INLINE Units batch_units(int64_t M, int64_t N) { return {M, N, 128, M < 2048 ? 64 : 256}; }
DRYDOCK_INLINE Units weight_units(int64_t M, int64_t N) { return {M, N, 64, 256}; }

template <class Block>
struct PairLayer {
    static Status check_forward(const LinearForward& a) {
        return portable::linear_forward_bf16().check(a);
    }

    static int64_t forward_units(const LinearForward& a) { return batch_units(a.N, a.O).count(); }

    template <Activation activation>
    static void run_forward_as(const LinearForward& a, int64_t first, int64_t last) {
        const LeftRows x = {static_cast<const float*>(a.x), a.ldx};
        const RightTransposed w = {static_cast<const float*>(a.w), a.I};
        const StoreForward<activation> store(a);
        const Units units = batch_units(a.N, a.O);
        const Block block;
        for (int64_t u = first; u < last; ++u) pair_unit<Block>(units.range(u), a.I, x, w, store);
    }

    static void run_forward(const LinearForward& a, int64_t first, int64_t last) {
        with_activation(
            a.activation, [&]<Activation kind>() __attribute__((always_inline)) {
                run_forward_as<kind>(a, first, last);
            });
    }

    static Status check_input_gradient(const LinearInputGradient& a) {
        return portable::linear_input_gradient_bf16().check(a);
    }

    static int64_t input_gradient_units(const LinearInputGradient& a) {
        return batch_units(a.N, a.I).count();
    }

    template <Activation below>
    static void run_input_gradient_as(const LinearInputGradient& a, int64_t first, int64_t last) {
        const LeftRows dy = {static_cast<const float*>(a.dy), a.lddy};
        const RightRows w = {static_cast<const float*>(a.w), a.I, a.O};
        const StoreInputGradient<below> store(a);
        const Units units = batch_units(a.N, a.I);
        const Block block;
        for (int64_t u = first; u < last; ++u) pair_unit<Block>(units.range(u), a.O, dy, w, store);
    }

    static void run_input_gradient(const LinearInputGradient& a, int64_t first, int64_t last) {
        with_activation(
            a.activation_below, [&]<Activation kind>() __attribute__((always_inline)) {
                run_input_gradient_as<kind>(a, first, last);
            });
    }

    static Status check_weight_gradient(const LinearWeightGradient& a) {
        return portable::linear_weight_gradient_bf16().check(a);
    }

    static int64_t weight_gradient_units(const LinearWeightGradient& a) {
        return weight_units(a.O, a.I).count();
    }

    // The units of the first columns see all of dy, and add up the bias's gradient on the way.
    static void run_weight_gradient(const LinearWeightGradient& a, int64_t first, int64_t last) {
        const RightRows x = {static_cast<const float*>(a.x), a.ldx, a.N};
        const StoreWeightGradient store = {static_cast<float*>(a.dw), a.I};
        const Units units = weight_units(a.O, a.I);
        const Block block;
        for (int64_t u = first; u < last; ++u) {
            const UnitRange range = units.range(u);
            const bool bias = a.db != nullptr && range.column == 0;
            alignas(64) float sums[kMostRows] = {};
            const LeftColumns dy = {static_cast<const float*>(a.dy), a.lddy, a.N,
                                    bias ? sums : nullptr};
            pair_unit<Block>(range, a.N, dy, x, store);
            if (!bias) continue;
            float* db = static_cast<float*>(a.db) + range.row;
            for (int64_t o = 0; o < range.rows; ++o) db[o] = sums[o];
        }
    }

    static CpuKernel<LinearForward> forward() {
        return {check_forward, forward_units, run_forward};
    }
    static CpuKernel<LinearInputGradient> input_gradient() {
        return {check_input_gradient, input_gradient_units, run_input_gradient};
    }
    static CpuKernel<LinearWeightGradient> weight_gradient() {
        return {check_weight_gradient, weight_gradient_units, run_weight_gradient};
    }
};

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
