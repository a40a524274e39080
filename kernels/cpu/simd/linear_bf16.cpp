// The products of Precision::bf16 where the processor has no instruction for them: factors are
// rounded while they are copied into panels, and the strips of the f32 product multiply them. Every
// output is one chain along the depth, so the bits are those of the portable kernel.
#include "kernels/api/linear.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"
#include "kernels/cpu/simd/layer_stores.h"
#include "kernels/cpu/simd/product.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

// As to_bf16 of base/bf16.h, in the upper half of each lane.
DRYDOCK_INLINE F32 round_to_bf16(F32 x) {
    const simd::I32 bits = simd::bits_of(x);
    const simd::I32 odd = simd::bit_and(simd::shift_right(bits, 16), simd::broadcast_int(1));
    const simd::I32 up = simd::add(simd::add(bits, simd::broadcast_int(0x7fff)), odd);
    const F32 rounded = simd::float_of(simd::bit_and(up, simd::broadcast_int(0xffff0000)));
    const F32 normal = simd::select(
        simd::greater_equal(simd::absolute(x), simd::broadcast(0x1p-126F)), rounded, simd::zero());
    return simd::select(simd::equal(x, x), normal, x);
}

// Rounds n floats, and those behind them up to a whole vector.
DRYDOCK_INLINE void round_all(float* p, int64_t n) {
    for (int64_t i = 0; i < n; i += kLanes) simd::store(p + i, round_to_bf16(simd::load(p + i)));
}

// A rounded left factor serves several panels.
constexpr int64_t kRows = 72, kColumns = 128;

DRYDOCK_INLINE Units rounded_units(int64_t M, int64_t N) { return {M, N, kRows, kColumns}; }

constexpr int64_t kStrips = (kRows + kStrip - 1) / kStrip;
constexpr int64_t kRowLength = kDepth + kLanes;

// A left factor whose depth lies along the rows of memory.
struct RoundRows {
    const float* data;
    int64_t ld;
    static constexpr int64_t kSize = kStrips * kStrip * kRowLength;

    DRYDOCK_INLINE void pack(float* to, int64_t row, int64_t rows, int64_t k, int64_t depth,
                             int64_t) const {
        for (int64_t r = 0; r < rows; ++r) {
            const float* from = data + (row + r) * ld + k;
            for (int64_t d = 0; d < depth; d += kLanes) {
                const F32 x = simd::load_first(from + d, smaller(kLanes, depth - d));
                simd::store(to + r * kRowLength + d, round_to_bf16(x));
            }
        }
    }
    DRYDOCK_INLINE Left strip(const float* packed, int64_t row) const {
        return {packed + row * kRowLength, kRowLength, 1};
    }
};

// One whose depth runs across them: a strip's elements of one step lie together, and strips are
// kLeftStrip apart. A store writes past a strip's elements into those of the next step.
constexpr int64_t kLeftStrip = kDepth * kStrip + kLanes;

struct RoundColumns {
    const float* data;
    int64_t ld;
    static constexpr int64_t kSize = kStrips * kLeftStrip;

    DRYDOCK_INLINE void pack(float* to, int64_t row, int64_t rows, int64_t k, int64_t depth,
                             int64_t K) const {
        const float* from = data + row + k * ld;
        for (int64_t d = 0; d < depth; ++d, from += ld, to += kStrip) {
            if (k + d + kDepth < K) prefetch_block<kDepth>(from, ld, rows);
            float* strip = to;
            for (int64_t m = 0; m < rows; m += kStrip, strip += kLeftStrip) {
                const F32 x = simd::load_first(from + m, smaller(kLanes, rows - m));
                simd::store(strip, round_to_bf16(x));
            }
        }
    }
    DRYDOCK_INLINE Left strip(const float* packed, int64_t row) const {
        return {packed + row / kStrip * kLeftStrip, 1, kStrip};
    }
};

// As blocked_unit, of rounded factors.
template <class LeftFactor, class Pack, class Finish>
DRYDOCK_INLINE void rounded_unit(const UnitRange& u, int64_t K, const LeftFactor& a,
                                 const Pack& pack, const Finish& finish) {
    alignas(64) float panel[kDepth * kPanel];
    alignas(64) float sums[kStrips * kStrip * kColumns];
    alignas(64) float left[LeftFactor::kSize];
    int64_t k = 0;
    do {
        const int64_t depth = smaller(kDepth, K - k);
        const bool last = k + kDepth >= K;
        a.pack(left, u.row, u.rows, k, depth, K);
        float* tile = sums;
        for (int64_t c = 0; c < u.columns; c += kPanel) {
            const int64_t columns = smaller(kPanel, u.columns - c);
            pack(panel, k, depth, u.column + c, columns);
            round_all(panel, depth * kPanel);
            for (int64_t row = 0; row < u.rows; row += kStrip, tile += kStrip * kPanel) {
                const int64_t rows = smaller(kStrip, u.rows - row);
                inner_strips<Finish>(columns)[rows - 1](a.strip(left, row), panel, depth, k == 0,
                                                        tile);
                if (last) finish_strip(u, row, rows, c, columns, tile, finish);
            }
        }
        k += kDepth;
    } while (k < K);
}

Status check_forward(const LinearForward& a) { return portable::linear_forward_bf16().check(a); }

int64_t forward_units(const LinearForward& a) { return rounded_units(a.N, a.O).count(); }

template <Activation activation>
void run_forward_as(const LinearForward& a, int64_t first, int64_t last) {
    const RoundRows x = {static_cast<const float*>(a.x), a.ldx};
    const PackTransposed w = {static_cast<const float*>(a.w), a.I};
    const StoreForward<activation> store(a);
    const Units units = rounded_units(a.N, a.O);
    for (int64_t u = first; u < last; ++u) rounded_unit(units.range(u), a.I, x, w, store);
}

void run_forward(const LinearForward& a, int64_t first, int64_t last) {
    with_activation(
        a.activation, [&]<Activation kind>()
                          __attribute__((always_inline)) { run_forward_as<kind>(a, first, last); });
}

Status check_input_gradient(const LinearInputGradient& a) {
    return portable::linear_input_gradient_bf16().check(a);
}

int64_t input_gradient_units(const LinearInputGradient& a) {
    return rounded_units(a.N, a.I).count();
}

template <Activation below>
void run_input_gradient_as(const LinearInputGradient& a, int64_t first, int64_t last) {
    const RoundRows dy = {static_cast<const float*>(a.dy), a.lddy};
    const PackRows<kDepth> w = {static_cast<const float*>(a.w), a.I, a.O};
    const StoreInputGradient<below> store(a);
    const Units units = rounded_units(a.N, a.I);
    for (int64_t u = first; u < last; ++u) rounded_unit(units.range(u), a.O, dy, w, store);
}

void run_input_gradient(const LinearInputGradient& a, int64_t first, int64_t last) {
    with_activation(
        a.activation_below, [&]<Activation kind>() __attribute__((always_inline)) {
            run_input_gradient_as<kind>(a, first, last);
        });
}

Status check_weight_gradient(const LinearWeightGradient& a) {
    return portable::linear_weight_gradient_bf16().check(a);
}

int64_t weight_gradient_units(const LinearWeightGradient& a) {
    return rounded_units(a.O, a.I).count();
}

void run_weight_gradient(const LinearWeightGradient& a, int64_t first, int64_t last) {
    const RoundColumns dy = {static_cast<const float*>(a.dy), a.lddy};
    const PackRows<kDepth> x = {static_cast<const float*>(a.x), a.ldx, a.N};
    const StoreWeightGradient store = {static_cast<float*>(a.dw), a.I};
    const Units units = rounded_units(a.O, a.I);
    for (int64_t u = first; u < last; ++u) {
        const UnitRange range = units.range(u);
        rounded_unit(range, a.N, dy, x, store);
        if (a.db != nullptr && range.column == 0) bias_gradient(a, range.row, range.rows);
    }
}

}  // namespace

CpuKernel<LinearForward> linear_forward_bf16() {
    return {check_forward, forward_units, run_forward};
}

CpuKernel<LinearInputGradient> linear_input_gradient_bf16() {
    return {check_input_gradient, input_gradient_units, run_input_gradient};
}

CpuKernel<LinearWeightGradient> linear_weight_gradient_bf16() {
    return {check_weight_gradient, weight_gradient_units, run_weight_gradient};
}

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
