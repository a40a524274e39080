// What happens to the sums of a linear layer's three products before they are stored, and the
// bias's gradient.
#pragma once

#include "base/simd_math.h"
#include "kernels/api/linear.h"
#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

// Calls body with the activation as a template argument.
template <class Body>
DRYDOCK_INLINE void with_activation(Activation activation, const Body& body) {
    switch (activation) {
        case Activation::none:
            return body.template operator()<Activation::none>();
        case Activation::relu:
            return body.template operator()<Activation::relu>();
        case Activation::tanh:
            return body.template operator()<Activation::tanh>();
        case Activation::gelu:
            return body.template operator()<Activation::gelu>();
    }
}

// The rows of a residual, each of which serves `repeat` rows of the output.
struct Residual {
    const float* data;
    int64_t ld;
    uint64_t reciprocal;  // of repeat, rounded up, in 32 bits after the point

    DRYDOCK_INLINE explicit Residual(const LinearForward& a)
        : data(static_cast<const float*>(a.residual)),
          ld(a.O),
          reciprocal(((UINT64_C(1) << 32) + static_cast<uint64_t>(a.repeat) - 1) /
                     static_cast<uint64_t>(a.repeat)) {}

    DRYDOCK_INLINE const float* at(int64_t row, int64_t column) const {
        const auto part = static_cast<int64_t>(static_cast<uint64_t>(row) * reciprocal >> 32);
        return data + part * ld + column;
    }
};

// Adds the bias and the residual and applies the activation.
template <Activation activation>
struct StoreForward {
    float* y;
    int64_t ld;
    const float* bias;
    Residual residual;
    float* slope;
    int64_t ld_slope;

    DRYDOCK_INLINE explicit StoreForward(const LinearForward& a)
        : y(static_cast<float*>(a.y)),
          ld(a.ldy),
          bias(static_cast<const float*>(a.bias)),
          residual(a),
          slope(static_cast<float*>(a.slope)),
          ld_slope(a.O) {}

    DRYDOCK_INLINE void prefetch(int64_t row, int64_t column, int64_t n) const {
        prefetch_line(y + row * ld + column, n, true);
        if (activation == Activation::gelu && slope != nullptr) {
            prefetch_line(slope + row * ld_slope + column, n, true);
        }
    }
    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, int64_t n, F32 v) const {
        if (bias != nullptr) v = simd::add(v, simd::load_first(bias + column, n));
        if (residual.data != nullptr) {
            v = simd::add(v, simd::load_first(residual.at(row, column), n));
        }
        if (activation == Activation::relu) v = simd::max(simd::zero(), v);
        if (activation == Activation::gelu) v = gelu(row, column, n, v);
        float* out = y + row * ld + column;
        simd::store_first(out, v, n);
        if (activation == Activation::tanh) {
            for (int64_t i = 0; i < n; ++i) out[i] = __builtin_tanhf(out[i]);
        }
    }
    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, float v) const {
        if (bias != nullptr) v += bias[column];
        if (residual.data != nullptr) v += *residual.at(row, column);
        if (activation == Activation::relu) v = 0 > v ? 0 : v;
        if (activation == Activation::tanh) v = __builtin_tanhf(v);
        if (activation == Activation::gelu) {
            return simd::store_first(y + row * ld + column,
                                     gelu(row, column, 1, simd::broadcast(v)), 1);
        }
        y[row * ld + column] = v;
    }

  private:
    DRYDOCK_INLINE F32 gelu(int64_t row, int64_t column, int64_t n, F32 v) const {
        const simd::Normal normal = simd::normal(v);
        if (slope != nullptr) {
            const F32 d = simd::add(normal.below, simd::mul(v, normal.density));
            simd::store_first(slope + row * ld_slope + column, d, n);
        }
        return simd::mul(v, normal.below);
    }
};

// Multiplies by the derivative of the activation below.
template <Activation below>
struct StoreInputGradient {
    float* dx;
    int64_t ld;
    const float* y_below;
    int64_t ld_below;

    DRYDOCK_INLINE explicit StoreInputGradient(const LinearInputGradient& a)
        : dx(static_cast<float*>(a.dx)),
          ld(a.lddx),
          y_below(static_cast<const float*>(a.y_below)),
          ld_below(a.I) {}

    DRYDOCK_INLINE void prefetch(int64_t row, int64_t column, int64_t n) const {
        prefetch_line(dx + row * ld + column, n, true);
        if (below != Activation::none) prefetch_line(y_below + row * ld_below + column, n, false);
    }
    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, int64_t n, F32 v) const {
        if (below != Activation::none) {
            const F32 y = simd::load_first(y_below + row * ld_below + column, n);
            if (below == Activation::relu) {
                v = simd::select(simd::greater(y, simd::zero()), v, simd::zero());
            } else if (below == Activation::tanh) {
                v = simd::mul(v, simd::sub(simd::broadcast(1), simd::mul(y, y)));
            } else {
                v = simd::mul(v, y);
            }
        }
        simd::store_first(dx + row * ld + column, v, n);
    }
};

struct StoreWeightGradient {
    float* dw;
    int64_t ld;

    DRYDOCK_INLINE void prefetch(int64_t, int64_t, int64_t) const {}
    DRYDOCK_INLINE void operator()(int64_t row, int64_t column, int64_t n, F32 v) const {
        simd::store_first(dw + row * ld + column, v, n);
    }
};

// Stores a strip's sums, rows of kPanel elements, from output `row` and `column` of the unit on.
template <class Finish>
DRYDOCK_INLINE void finish_strip(const UnitRange& u, int64_t row, int64_t rows, int64_t column,
                                 int64_t columns, const float* sums, const Finish& finish) {
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < columns; c += kLanes) {
            finish(u.row + row + r, u.column + column + c, smaller(kLanes, columns - c),
                   simd::load(sums + r * kPanel + c));
        }
    }
}

// db of outputs [o, o + count): the rows are added in ascending order.
DRYDOCK_INLINE void bias_gradient(const LinearWeightGradient& a, int64_t o, int64_t count) {
    for (const int64_t end = o + count; o < end; o += kLanes) {
        const int64_t n = smaller(kLanes, end - o);
        const float* dy = static_cast<const float*>(a.dy) + o;
        F32 sums = simd::zero();
        for (int64_t r = 0; r < a.N; ++r, dy += a.lddy) {
            sums = simd::add(sums, simd::load_first(dy, n));
        }
        simd::store_first(static_cast<float*>(a.db) + o, sums, n);
    }
}

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
