// Products of Precision::bf16 with vdpbf16ps, two steps of the depth in each of 16 lanes.
#include "kernels/cpu/bf16/layer.h"
#include "kernels/cpu/bf16/take.h"
#include "kernels/cpu/table.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

// Two elements of the left buffer.
using Pair __attribute__((may_alias)) = int;

// sums (+)= R rows of the left buffer times V vectors of the panel's columns.
template <int R, int V>
void pair_strip(const uint16_t* rows, const uint32_t* panel, int64_t steps, bool first,
                float* sums) {
    F32 sum[R][V];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
            sum[r][v] = first ? simd::zero() : simd::load(sums + r * kPanel + v * kLanes);
        }
    }
    constexpr int64_t kPairs = kStep / 2, kRow = kLeftRow / 2;
    const auto* pairs = reinterpret_cast<const Pair*>(rows);
    for (int64_t p = 0; p < steps * kPairs; ++p, ++pairs, panel += kPanel) {
        __m512bh b[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
            b[v] = reinterpret_cast<__m512bh>(_mm512_load_si512(panel + v * kLanes));
        }
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pairs[r * kRow]));
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, b[v]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) simd::store(sums + r * kPanel + v * kLanes, sum[r][v]);
    }
}

using PairStrip = void (*)(const uint16_t*, const uint32_t*, int64_t, bool, float*);

template <int V>
DRYDOCK_INLINE PairStrip pair_strip_of(int64_t rows) {
    constexpr PairStrip kStrips[] = {
        pair_strip<1, V>, pair_strip<2, V>,  pair_strip<3, V>,  pair_strip<4, V>,
        pair_strip<5, V>, pair_strip<6, V>,  pair_strip<7, V>,  pair_strip<8, V>,
        pair_strip<9, V>, pair_strip<10, V>, pair_strip<11, V>, pair_strip<12, V>,
    };
    return kStrips[rows - 1];
}

struct VectorBlock {
    static constexpr int64_t kStrip = 12;
    static constexpr bool kWholeStrips = false;

    DRYDOCK_INLINE VectorBlock() {}

    DRYDOCK_INLINE static void multiply(const uint16_t* rows, const uint32_t* panel, int64_t steps,
                                        int64_t n, int64_t columns, bool first, float* sums) {
        const PairStrip run = columns > kLanes ? pair_strip_of<2>(n) : pair_strip_of<1>(n);
        run(rows, panel, steps, first, sums);
    }
};

}  // namespace
}  // namespace DRYDOCK_SIMD_NAMESPACE

void take_avx512_bf16_kernels(CpuTable& table) {
    using Layer = PairLayer<VectorBlock>;
    table.linear_forward_bf16 = Layer::forward();
    table.linear_input_gradient_bf16 = Layer::input_gradient();
    table.linear_weight_gradient_bf16 = Layer::weight_gradient();
}

}  // namespace drydock::kernels
