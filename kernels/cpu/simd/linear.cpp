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

bool shallow(const LinearForward& a) {
    return a.I <= kShallow && a.O >= kPanel && a.O <= kShallowPanels * kPanel;
}

// Units are rows with all their columns where no panel has to be packed for each; else tiles.
bool forward_by_rows(const LinearForward& a) {
    return a.O <= kNarrow || shallow(a) || a.packed != nullptr;
}

int64_t forward_units(const LinearForward& a) {
    return forward_by_rows(a) ? quotient_up(a.N, kRowUnit) : tall_units(a.N, a.O).count();
}

template <class Store>
DRYDOCK_INLINE void shallow_forward(const LinearForward& a, int64_t row, int64_t rows,
                                    const Left& x, const PackTransposed& w, const Store& store) {
    const int64_t panels = a.O / kPanel, columns = panels * kPanel;
    const ShallowLeft left = {x.data, a.ldx, row, rows};
    with_depth(a.I, ShallowForward<Store>{left, w.data, panels, store});
    if (columns < a.O) tall_unit({row, rows, columns, a.O - columns}, a.I, x, w, store);
}

template <Activation activation>
void forward_rows_as(const LinearForward& a, int64_t first, int64_t last) {
    const Left x = {static_cast<const float*>(a.x), a.ldx, 1};
    const PackTransposed w = {static_cast<const float*>(a.w), a.I};
    const StoreForward<activation> store(a);
    if (a.O <= kNarrow) {
        return narrow_forward(x.data, a.ldx, w.data, a.I, a.O, first, last - first, store);
    }
    for (int64_t row = first; row < last; row += kTallRows) {
        const int64_t rows = smaller(kTallRows, last - row);
        if (shallow(a)) {
            shallow_forward(a, row, rows, x, w, store);
        } else if (a.packed != nullptr) {
            row_unit(row, rows, a.O, a.I, x, Packed(a.packed, a.I), store);
        } else {
            row_unit(row, rows, a.O, a.I, x, w, store);
        }
    }
}

void run_forward_rows(const LinearForward& a, int64_t first, int64_t last) {
    with_activation(
        a.activation, [&]<Activation kind>() __attribute__((always_inline)) {
            forward_rows_as<kind>(a, first, last);
        });
}

void run_forward(const LinearForward& a, int64_t first, int64_t last) {
    if (forward_by_rows(a)) {
        return run_forward_rows(a, first * kRowUnit, smaller(last * kRowUnit, a.N));
    }
    with_activation(
        a.activation, [&]<Activation kind>() __attribute__((always_inline)) {
            const Left x = {static_cast<const float*>(a.x), a.ldx, 1};
            const PackTransposed w = {static_cast<const float*>(a.w), a.I};
            const StoreForward<kind> store(a);
            const Units units = tall_units(a.N, a.O);
            for (int64_t u = first; u < last; ++u) tall_unit(units.range(u), a.I, x, w, store);
        });
}

Status check_input_gradient(const LinearInputGradient& a) {
    return a.dtype == DType::f32 ? portable::linear_input_gradient().check(a) : Status::unsupported;
}

// Columns of dx beyond those that vectors fill: where they are one or two they are dot products,
// which cost less than a strip with idle lanes.
constexpr int64_t kTailColumns = 2, kTailDepth = 1024;

int64_t tail_columns(const LinearInputGradient& a) {
    const int64_t tail = a.I % 16;
    return a.I > 16 && tail <= kTailColumns && a.O <= kTailDepth ? tail : 0;
}

bool input_gradient_by_rows(const LinearInputGradient& a) {
    return a.O <= kShallow || a.packed != nullptr;
}

int64_t input_gradient_units(const LinearInputGradient& a) {
    return input_gradient_by_rows(a) ? quotient_up(a.N, kRowUnit)
                                     : tall_units(a.N, a.I - tail_columns(a)).count();
}

// Rows of dx in a column of the tail.
template <class Finish>
DRYDOCK_INLINE void tail_rows(const LinearInputGradient& a, int64_t row, int64_t rows,
                              int64_t column, const Finish& finish) {
    const float* w = static_cast<const float*>(a.w) + column;
    alignas(64) float weights[kTailDepth];
    for (int64_t o = 0; o < a.O; ++o) weights[o] = w[o * a.I];
    const auto store = [&](int64_t r, int64_t, float sum) __attribute__((always_inline)) {
        finish(r, column, 1, simd::broadcast(sum));
    };
    narrow_forward(static_cast<const float*>(a.dy), a.lddy, weights, a.O, 1, row, rows, store);
}

template <Activation below>
void input_gradient_rows_as(const LinearInputGradient& a, int64_t first, int64_t last) {
    const Left dy = {static_cast<const float*>(a.dy), a.lddy, 1};
    const PackRows<kDepth> w = {static_cast<const float*>(a.w), a.I, a.O};
    const StoreInputGradient<below> store(a);
    if (a.O <= kShallow) {
        const ShallowLeft rows = {dy.data, a.lddy, first, last - first};
        return with_depth(
            a.O, ShallowInputGradient<StoreInputGradient<below>>{rows, w.data, a.I, store});
    }
    const int64_t vectors = a.I - tail_columns(a);
    for (int64_t row = first; row < last; row += kTallRows) {
        const int64_t rows = smaller(kTallRows, last - row);
        if (a.packed != nullptr) {
            row_unit(row, rows, vectors, a.O, dy, Packed(a.packed, a.O), store);
        } else {
            row_unit(row, rows, vectors, a.O, dy, w, store);
        }
    }
    for (int64_t column = vectors; column < a.I; ++column) {
        tail_rows(a, first, last - first, column, store);
    }
}

void run_input_gradient_rows(const LinearInputGradient& a, int64_t first, int64_t last) {
    with_activation(
        a.activation_below, [&]<Activation kind>() __attribute__((always_inline)) {
            input_gradient_rows_as<kind>(a, first, last);
        });
}

template <Activation below>
void input_gradient_tiles_as(const LinearInputGradient& a, int64_t first, int64_t last) {
    const Left dy = {static_cast<const float*>(a.dy), a.lddy, 1};
    const PackRows<kDepth> w = {static_cast<const float*>(a.w), a.I, a.O};
    const StoreInputGradient<below> store(a);
    const int64_t vectors = a.I - tail_columns(a);
    const Units units = tall_units(a.N, vectors);
    for (int64_t u = first; u < last; ++u) {
        const UnitRange range = units.range(u);
        tall_unit(range, a.O, dy, w, store);
        if (range.column + range.columns < vectors) continue;
        for (int64_t column = vectors; column < a.I; ++column) {
            tail_rows(a, range.row, range.rows, column, store);
        }
    }
}

void run_input_gradient(const LinearInputGradient& a, int64_t first, int64_t last) {
    if (input_gradient_by_rows(a)) {
        return run_input_gradient_rows(a, first * kRowUnit, smaller(last * kRowUnit, a.N));
    }
    with_activation(
        a.activation_below, [&]<Activation kind>() __attribute__((always_inline)) {
            input_gradient_tiles_as<kind>(a, first, last);
        });
}

Status check_weight_gradient(const LinearWeightGradient& a) {
    return a.dtype == DType::f32 ? portable::linear_weight_gradient().check(a)
                                 : Status::unsupported;
}

// Three ways by size: few outputs; few inputs, where the transposed product has no idle lanes;
// else.
constexpr int64_t kFewInputs = 32;

bool few_outputs(const LinearWeightGradient& a) { return a.O <= kNarrowWeights; }
bool few_inputs(const LinearWeightGradient& a) { return a.I <= kFewInputs; }

// With few outputs: the outputs of a unit, in equal parts of what a strip holds, and its columns.
DRYDOCK_INLINE int64_t few_outputs_rows(const LinearWeightGradient& a) {
    return quotient_up(a.O, quotient_up(a.O, kNarrowStrip));
}
DRYDOCK_INLINE int64_t few_outputs_columns(const LinearWeightGradient& a) {
    return narrow_weight_vectors(few_outputs_rows(a)) * kLanes;
}

int64_t weight_gradient_units(const LinearWeightGradient& a) {
    if (a.O == 0) return 0;
    if (few_outputs(a)) {
        return quotient_up(a.O, few_outputs_rows(a)) * quotient_up(a.I, few_outputs_columns(a));
    }
    if (few_inputs(a)) return tall_units(a.I, a.O).count();
    return wide_units(a.O, a.I, a.N).count();
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
    const int64_t rows = few_outputs_rows(a), width = few_outputs_columns(a);
    const int64_t parts = quotient_up(a.O, rows);
    const int64_t o = unit % parts * rows, column = unit / parts * width;
    narrow_weight_columns(smaller(rows, a.O - o), static_cast<const float*>(a.dy) + o, a.lddy,
                          static_cast<const float*>(a.x) + column, a.ldx, a.N,
                          smaller(width, a.I - column),
                          static_cast<float*>(a.dw) + o * a.I + column, a.I);
    if (a.db != nullptr && unit == 0) bias_gradient(a, 0, a.O);
}

void few_inputs_unit(const LinearWeightGradient& a, int64_t unit) {
    const Left x = {static_cast<const float*>(a.x), 1, a.ldx};
    const PackRows<kDepth> dy = {static_cast<const float*>(a.dy), a.lddy, a.N};
    const StoreTransposed store = {static_cast<float*>(a.dw), a.I};
    const UnitRange range = tall_units(a.I, a.O).range(unit);
    tall_unit(range, a.N, x, dy, store);
    if (a.db != nullptr) bias_gradient(a, range.column, range.columns);
}

// Before every block of a wide unit: asks for the next block of dy, and adds this one's rows to the
// bias's sums, in ascending order.
struct BeforeWeightBlock {
    const LinearWeightGradient& a;
    UnitRange range;
    float* sums;  // null where no bias is wanted

    DRYDOCK_INLINE void operator()(int64_t k, int64_t depth) const {
        const float* dy = static_cast<const float*>(a.dy) + k * a.lddy + range.row;
        const int64_t next = smaller(kWideDepth, a.N - k - depth);
        for (int64_t d = 0; d < next; ++d) {
            prefetch_block<kWideDepth>(dy + d * a.lddy, a.lddy, range.rows);
        }
        if (sums == nullptr) return;
        int64_t o = 0;
        for (; o + kTogether * kLanes <= range.rows; o += kTogether * kLanes) {
            add<kTogether>(dy, depth, o);
        }
        for (; o < range.rows; o += kLanes) add<1>(dy, depth, o);
    }

  private:
    static constexpr int kTogether = 4;  // vectors, to hide the latency of an addition

    template <int V>
    DRYDOCK_INLINE void add(const float* dy, int64_t depth, int64_t o) const {
        F32 sum[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[v] = simd::load(sums + o + v * kLanes);
        const int64_t n = V > 1 ? kLanes : smaller(kLanes, range.rows - o);
        for (int64_t d = 0; d < depth; ++d, dy += a.lddy) {
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) {
                sum[v] = simd::add(sum[v], simd::load_first(dy + o + v * kLanes, n));
            }
        }
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) simd::store(sums + o + v * kLanes, sum[v]);
    }
};

void wide_weight_unit(const LinearWeightGradient& a, int64_t unit) {
    const Left dy = {static_cast<const float*>(a.dy), 1, a.lddy};
    const PackRows<kWideDepth> x = {static_cast<const float*>(a.x), a.ldx, a.N};
    const StoreWeightGradient store = {static_cast<float*>(a.dw), a.I};
    const UnitRange range = wide_units(a.O, a.I, a.N).range(unit);
    alignas(64) float sums[kWideRows + kLanes] = {};
    const bool bias = a.db != nullptr && range.column == 0;
    wide_unit(range, a.N, dy, x, BeforeWeightBlock{a, range, bias ? sums : nullptr}, store);
    if (!bias) return;
    for (int64_t o = 0; o < range.rows; ++o) {
        static_cast<float*>(a.db)[range.row + o] = sums[o];
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

Status check_pack(const PackWeights& p) {
    const bool layer = p.I >= 1 && p.O >= 1;
    return p.dtype != DType::f32 ? Status::unsupported : layer ? Status::ok : Status::bad_argument;
}

constexpr int64_t kPackColumns = 64;  // of a unit

int64_t pack_units(const PackWeights& p) {
    return quotient_up(p.product == PackedFor::forward ? p.O : p.I, kPackColumns);
}

template <class Pack>
DRYDOCK_INLINE void pack_columns(const PackWeights& p, int64_t N, int64_t K, const Pack& pack,
                                 int64_t first, int64_t last) {
    const Packed to(p.packed, K);
    for (int64_t c = first * kPackColumns; c < smaller(last * kPackColumns, N); c += kPanel) {
        float* panel = static_cast<float*>(p.packed) + c / kPanel * to.panel;
        pack(panel, 0, K, c, smaller(kPanel, N - c));
    }
}

void run_pack(const PackWeights& p, int64_t first, int64_t last) {
    const float* w = static_cast<const float*>(p.w);
    if (p.product == PackedFor::forward) {
        pack_columns(p, p.O, p.I, PackTransposed{w, p.I}, first, last);
    } else {
        pack_columns(p, p.I, p.O, PackRows<kDepth>{w, p.I, p.O}, first, last);
    }
}

}  // namespace

CpuKernel<PackWeights> pack_weights() { return {check_pack, pack_units, run_pack}; }

CpuKernel<LinearForward> linear_forward() { return {check_forward, forward_units, run_forward}; }

CpuKernel<LinearInputGradient> linear_input_gradient() {
    return {check_input_gradient, input_gradient_units, run_input_gradient};
}

CpuKernel<LinearWeightGradient> linear_weight_gradient() {
    return {check_weight_gradient, weight_gradient_units, run_weight_gradient};
}

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
