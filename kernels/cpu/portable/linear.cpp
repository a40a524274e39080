// A linear layer and its gradients. f32 goes to kernels/cpu/simd/linear.cpp, compiled with the
// portable page of base/simd.h; f64 is tiles of the output with the activation in the tile's store.
#include "kernels/api/linear.h"

#include <cmath>

#include "kernels/cpu/portable/gelu.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/product.h"
#include "kernels/cpu/simd/kernels.h"

namespace drydock::kernels::portable {
namespace {

using T = double;  // of the tiles

template <class Args>
bool valid_layer(const Args& a) {
    return is_float(a.dtype) && a.precision == Precision::full && a.N >= 0 && a.I >= 1 && a.O >= 1;
}

Status check_forward(const LinearForward& a) {
    return valid(valid_layer(a) && a.ldx >= a.I && a.ldy >= a.O && valid_repeat(a));
}

std::int64_t forward_units(const LinearForward& a) { return tile_count(a.N, a.O); }

void forward_unit(const LinearForward& a, std::int64_t unit) {
    const TileRange t = tile_range(unit, a.N, a.O);
    Tile<T> sums;
    multiply(sums, t, a.I, {a.x, a.ldx, false}, {a.w, a.I, true});
    if (a.bias != nullptr) {
        const T* bias = static_cast<const T*>(a.bias) + t.column;
        for (std::int64_t r = 0; r < t.rows; ++r) {
            for (std::int64_t c = 0; c < t.columns; ++c) sums.at[r * kTileColumns + c] += bias[c];
        }
    }
    if (a.residual != nullptr) {
        for (std::int64_t r = 0; r < t.rows; ++r) {
            const T* residual =
                static_cast<const T*>(a.residual) + (t.row + r) / a.repeat * a.O + t.column;
            for (std::int64_t c = 0; c < t.columns; ++c) {
                sums.at[r * kTileColumns + c] += residual[c];
            }
        }
    }
    using Index = std::int64_t;
    switch (a.activation) {
        case Activation::none:
            return store(sums, t, a.y, a.ldy, [](T v, Index, Index) { return v; });
        case Activation::relu:
            return store(sums, t, a.y, a.ldy, [](T v, Index, Index) { return v < 0 ? T(0) : v; });
        case Activation::tanh:
            return store(sums, t, a.y, a.ldy, [](T v, Index, Index) { return std::tanh(v); });
        case Activation::gelu:
            if (a.slope != nullptr) {
                T* slope = static_cast<T*>(a.slope) + t.row * a.O + t.column;
                store(sums, {0, t.rows, 0, t.columns}, slope, a.O,
                      [](T v, Index, Index) { return gelu_derivative(v); });
            }
            return store(sums, t, a.y, a.ldy, [](T v, Index, Index) { return gelu(v); });
    }
}

Status check_input_gradient(const LinearInputGradient& a) {
    return valid(valid_layer(a) && a.lddy >= a.O && a.lddx >= a.I);
}

std::int64_t input_gradient_units(const LinearInputGradient& a) { return tile_count(a.N, a.I); }

void input_gradient_unit(const LinearInputGradient& a, std::int64_t unit) {
    const TileRange t = tile_range(unit, a.N, a.I);
    Tile<T> sums;
    multiply(sums, t, a.O, {a.dy, a.lddy, false}, {a.w, a.I, false});
    const T* below = static_cast<const T*>(a.y_below) + t.row * a.I + t.column;
    using Index = std::int64_t;
    switch (a.activation_below) {
        case Activation::none:
            return store(sums, t, a.dx, a.lddx, [](T v, Index, Index) { return v; });
        case Activation::relu:
            return store(sums, t, a.dx, a.lddx,
                         [&](T v, Index r, Index c) { return below[r * a.I + c] > 0 ? v : T(0); });
        case Activation::tanh:
            return store(sums, t, a.dx, a.lddx, [&](T v, Index r, Index c) {
                const T y = below[r * a.I + c];
                return v * (1 - y * y);
            });
        case Activation::gelu:
            return store(sums, t, a.dx, a.lddx,
                         [&](T v, Index r, Index c) { return v * below[r * a.I + c]; });
    }
}

Status check_weight_gradient(const LinearWeightGradient& a) {
    return valid(valid_layer(a) && a.lddy >= a.O && a.ldx >= a.I);
}

std::int64_t weight_gradient_units(const LinearWeightGradient& a) { return tile_count(a.O, a.I); }

// Rows are added in ascending order, in the units of the first column of tiles.
void bias_gradient(const LinearWeightGradient& a, const TileRange& t) {
    T* db = static_cast<T*>(a.db) + t.row;
    std::fill_n(db, t.rows, T(0));
    for (std::int64_t n = 0; n < a.N; ++n) {
        const T* dy = static_cast<const T*>(a.dy) + n * a.lddy + t.row;
        for (std::int64_t o = 0; o < t.rows; ++o) db[o] += dy[o];
    }
}

void weight_gradient_unit(const LinearWeightGradient& a, std::int64_t unit) {
    const TileRange t = tile_range(unit, a.O, a.I);
    Tile<T> sums;
    multiply(sums, t, a.N, {a.dy, a.lddy, true}, {a.x, a.ldx, false});
    store(sums, t, a.dw, a.I, [](T v, std::int64_t, std::int64_t) { return v; });
    if (a.db != nullptr && t.column == 0) bias_gradient(a, t);
}

// A kernel of the two: `vectors` for f32, else tiles.
template <class Args, CpuKernel<Args> (*vectors)(), std::int64_t (*tiles)(const Args&),
          void (*tile)(const Args&, std::int64_t)>
struct ByType {
    static std::int64_t units(const Args& a) {
        return a.dtype == DType::f32 ? vectors().units(a) : tiles(a);
    }
    static void run(const Args& a, std::int64_t first, std::int64_t last) {
        if (a.dtype == DType::f32) return vectors().run(a, first, last);
        for (std::int64_t u = first; u < last; ++u) tile(a, u);
    }
};

}  // namespace

CpuKernel<PackWeights> pack_weights() { return kernels::pack_weights(); }

CpuKernel<LinearForward> linear_forward() {
    using Kernel = ByType<LinearForward, kernels::linear_forward, forward_units, forward_unit>;
    return {check_forward, Kernel::units, Kernel::run};
}

CpuKernel<LinearInputGradient> linear_input_gradient() {
    using Kernel = ByType<LinearInputGradient, kernels::linear_input_gradient, input_gradient_units,
                          input_gradient_unit>;
    return {check_input_gradient, Kernel::units, Kernel::run};
}

CpuKernel<LinearWeightGradient> linear_weight_gradient() {
    using Kernel = ByType<LinearWeightGradient, kernels::linear_weight_gradient,
                          weight_gradient_units, weight_gradient_unit>;
    return {check_weight_gradient, Kernel::units, Kernel::run};
}

}  // namespace drydock::kernels::portable
