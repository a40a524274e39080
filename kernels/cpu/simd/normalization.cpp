// Layer normalisation. Sums over a row are in f32, in several vectors side by side; sums over the
// rows are f32 within blocks of rows, the sums of the blocks again f32: their order is fixed by the
// sizes, and their error grows with the square root of the number of rows at most.
#include "kernels/api/normalization.h"

#include "base/simd.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

constexpr int64_t kUnit = 8192;    // elements of the rows of a unit, about
constexpr int64_t kColumns = 32;   // of a unit of the weight gradient
constexpr int64_t kRowBlock = 64;  // rows whose sums are formed together

DRYDOCK_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

DRYDOCK_INLINE int64_t rows_per_unit(int64_t width) { return width < kUnit ? kUnit / width : 1; }

template <class Args>
int64_t row_units(const Args& a) {
    const int64_t rows = rows_per_unit(a.D);
    return (a.N + rows - 1) / rows;
}

// The sum of term(i, n), n elements from i on, over a row; lanes from n on must be 0. Four sums
// side by side hide the latency of the additions.
template <class Term>
DRYDOCK_INLINE float sum_of_row(int64_t width, const Term& term) {
    F32 sums[4] = {simd::zero(), simd::zero(), simd::zero(), simd::zero()};
    int64_t i = 0;
    for (; i + 4 * kLanes <= width; i += 4 * kLanes) {
        for (int k = 0; k < 4; ++k) sums[k] = simd::add(sums[k], term(i + k * kLanes, kLanes));
    }
    for (; i < width; i += kLanes) {
        sums[0] = simd::add(sums[0], term(i, smaller(kLanes, width - i)));
    }
    return simd::sum(simd::add(simd::add(sums[0], sums[2]), simd::add(sums[1], sums[3])));
}

// Elements of a row, of their distance from the mean and of the scaled gradient.

struct Element {
    const float* x;
    DRYDOCK_INLINE F32 operator()(int64_t i, int64_t n) const { return simd::load_first(x + i, n); }
};

struct SquaredDistance {
    const float* x;
    F32 mean;
    DRYDOCK_INLINE F32 operator()(int64_t i, int64_t n) const {
        const F32 d = simd::sub(simd::load_first(x + i, n), mean);
        const F32 square = simd::mul(d, d);
        return n == kLanes ? square : simd::select(simd::first(n), square, simd::zero());
    }
};

struct Gradient {
    const float *dy, *w;
    DRYDOCK_INLINE F32 operator()(int64_t i, int64_t n) const {
        return simd::mul(simd::load_first(dy + i, n), simd::load_first(w + i, n));
    }
};

// The gradient times the normalised element.
struct Slope {
    Gradient g;
    const float* x;
    F32 mean, inverse;
    DRYDOCK_INLINE F32 normalised(int64_t i, int64_t n) const {
        return simd::mul(simd::sub(simd::load_first(x + i, n), mean), inverse);
    }
    DRYDOCK_INLINE F32 operator()(int64_t i, int64_t n) const {
        return simd::mul(g(i, n), normalised(i, n));
    }
};

DRYDOCK_INLINE void forward_row(const LayerNorm& a, int64_t row) {
    const float* x = static_cast<const float*>(a.x) + row * a.D;
    const float *w = static_cast<const float*>(a.weight), *b = static_cast<const float*>(a.bias);
    float *y = static_cast<float*>(a.y) + row * a.D,
          *statistics = static_cast<float*>(a.statistics) + 2 * row;
    const float count = static_cast<float>(a.D);
    const float mean = sum_of_row(a.D, Element{x}) / count;
    const F32 middle = simd::broadcast(mean);
    const float variance = sum_of_row(a.D, SquaredDistance{x, middle}) / count;
    const double deviation = __builtin_sqrt(static_cast<double>(variance) + a.epsilon);
    const float inverse = static_cast<float>(1.0 / deviation);
    for (int64_t i = 0; i < a.D; i += kLanes) {
        const int64_t n = smaller(kLanes, a.D - i);
        const F32 h =
            simd::mul(simd::sub(simd::load_first(x + i, n), middle), simd::broadcast(inverse));
        const F32 scaled = simd::mul(h, simd::load_first(w + i, n));
        simd::store_first(y + i, simd::add(scaled, simd::load_first(b + i, n)), n);
    }
    statistics[0] = mean;
    statistics[1] = inverse;
}

void forward(const LayerNorm& a, int64_t first, int64_t last) {
    const int64_t rows = rows_per_unit(a.D), end = smaller(last * rows, a.N);
    for (int64_t row = first * rows; row < end; ++row) forward_row(a, row);
}

DRYDOCK_INLINE void input_gradient_row(const LayerNormInputGradient& a, int64_t row) {
    const float* statistics = static_cast<const float*>(a.statistics) + 2 * row;
    const Gradient g = {static_cast<const float*>(a.dy) + row * a.D,
                        static_cast<const float*>(a.weight)};
    const F32 inverse = simd::broadcast(statistics[1]);
    const Slope s = {g, static_cast<const float*>(a.x) + row * a.D, simd::broadcast(statistics[0]),
                     inverse};
    float* dx = static_cast<float*>(a.dx) + row * a.D;
    const float count = static_cast<float>(a.D);
    const F32 level = simd::broadcast(sum_of_row(a.D, g) / count);
    const F32 slope = simd::broadcast(sum_of_row(a.D, s) / count);
    for (int64_t i = 0; i < a.D; i += kLanes) {
        const int64_t n = smaller(kLanes, a.D - i);
        const F32 straight = simd::sub(g(i, n), level);
        const F32 rest = simd::sub(straight, simd::mul(s.normalised(i, n), slope));
        simd::store_first(dx + i, simd::mul(rest, inverse), n);
    }
}

void input_gradient(const LayerNormInputGradient& a, int64_t first, int64_t last) {
    const int64_t rows = rows_per_unit(a.D), end = smaller(last * rows, a.N);
    for (int64_t row = first * rows; row < end; ++row) input_gradient_row(a, row);
}

constexpr int64_t kVectors = kColumns / kLanes;

// Sums of a unit's columns: of dy times the normalised row, and of dy.
struct ColumnSums {
    F32 weights[kVectors], biases[kVectors];

    DRYDOCK_INLINE ColumnSums() {
        for (int v = 0; v < kVectors; ++v) weights[v] = biases[v] = simd::zero();
    }
    DRYDOCK_INLINE void add(const ColumnSums& other) {
        for (int v = 0; v < kVectors; ++v) {
            weights[v] = simd::add(weights[v], other.weights[v]);
            biases[v] = simd::add(biases[v], other.biases[v]);
        }
    }
};

int64_t column_units(const LayerNormWeightGradient& a) { return (a.D + kColumns - 1) / kColumns; }

// Rows [first, last) of columns [column, column + n).
template <bool kFull>
DRYDOCK_INLINE ColumnSums sum_rows(const LayerNormWeightGradient& a, int64_t first, int64_t last,
                                   int64_t column, int64_t columns) {
    const float* statistics = static_cast<const float*>(a.statistics);
    ColumnSums sums;
    for (int64_t row = first; row < last; ++row) {
        const float* dy = static_cast<const float*>(a.dy) + row * a.D + column;
        const float* x = static_cast<const float*>(a.x) + row * a.D + column;
        const F32 mean = simd::broadcast(statistics[2 * row]);
        const F32 inverse = simd::broadcast(statistics[2 * row + 1]);
        for (int64_t v = 0; v < kVectors; ++v) {
            const int64_t left = columns - v * kLanes;
            if (!kFull && left <= 0) break;
            const int64_t n = kFull ? kLanes : smaller(kLanes, left);
            const F32 d = simd::load_first(dy + v * kLanes, n);
            const F32 h = simd::mul(simd::sub(simd::load_first(x + v * kLanes, n), mean), inverse);
            sums.weights[v] = simd::fma(d, h, sums.weights[v]);
            sums.biases[v] = simd::add(sums.biases[v], d);
        }
    }
    return sums;
}

void weight_gradient_unit(const LayerNormWeightGradient& a, int64_t unit) {
    const int64_t column = unit * kColumns, columns = smaller(kColumns, a.D - column);
    ColumnSums total;
    for (int64_t row = 0; row < a.N; row += kRowBlock) {
        const int64_t end = smaller(row + kRowBlock, a.N);
        total.add(columns == kColumns ? sum_rows<true>(a, row, end, column, columns)
                                      : sum_rows<false>(a, row, end, column, columns));
    }
    for (int64_t v = 0; v * kLanes < columns; ++v) {
        const int64_t at = column + v * kLanes, n = smaller(kLanes, columns - v * kLanes);
        simd::store_first(static_cast<float*>(a.dweight) + at, total.weights[v], n);
        simd::store_first(static_cast<float*>(a.dbias) + at, total.biases[v], n);
    }
}

void weight_gradient(const LayerNormWeightGradient& a, int64_t first, int64_t last) {
    for (int64_t u = first; u < last; ++u) weight_gradient_unit(a, u);
}

Status check_forward(const LayerNorm& a) {
    return a.dtype == DType::f32 ? portable::layer_norm().check(a) : Status::unsupported;
}

Status check_input(const LayerNormInputGradient& a) {
    return a.dtype == DType::f32 ? portable::layer_norm_input_gradient().check(a)
                                 : Status::unsupported;
}

Status check_weight(const LayerNormWeightGradient& a) {
    return a.dtype == DType::f32 ? portable::layer_norm_weight_gradient().check(a)
                                 : Status::unsupported;
}

}  // namespace

CpuKernel<LayerNorm> layer_norm() { return {check_forward, row_units<LayerNorm>, forward}; }

CpuKernel<LayerNormInputGradient> layer_norm_input_gradient() {
    return {check_input, row_units<LayerNormInputGradient>, input_gradient};
}

CpuKernel<LayerNormWeightGradient> layer_norm_weight_gradient() {
    return {check_weight, column_units, weight_gradient};
}

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
