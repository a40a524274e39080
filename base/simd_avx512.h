// The AVX-512 page of base/simd.h (F, DQ, BW and VL), which says what each function does.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "base/compiler.h"

#define DRYDOCK_SIMD_NAMESPACE isa_avx512

namespace drydock::simd {
inline namespace isa_avx512 {

constexpr int kLanes = 16;
using F32 = __m512;
using Mask = __mmask16;

DRYDOCK_INLINE F32 zero() { return _mm512_setzero_ps(); }
DRYDOCK_INLINE F32 broadcast(float x) { return _mm512_set1_ps(x); }
DRYDOCK_INLINE F32 load(const float* p) { return _mm512_loadu_ps(p); }
DRYDOCK_INLINE void store(float* p, F32 v) { _mm512_storeu_ps(p, v); }

DRYDOCK_INLINE Mask first_lanes(int64_t n) {
    return static_cast<Mask>((1U << static_cast<unsigned>(n)) - 1U);
}
DRYDOCK_INLINE F32 load_first(const float* p, int64_t n) {
    return n == kLanes ? load(p) : _mm512_maskz_loadu_ps(first_lanes(n), p);
}
DRYDOCK_INLINE void store_first(float* p, F32 v, int64_t n) {
    if (n == kLanes) {
        store(p, v);
    } else {
        _mm512_mask_storeu_ps(p, first_lanes(n), v);
    }
}

DRYDOCK_INLINE F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
DRYDOCK_INLINE F32 sub(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
DRYDOCK_INLINE F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
DRYDOCK_INLINE F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
DRYDOCK_INLINE F32 sqrt(F32 a) { return _mm512_sqrt_ps(a); }
DRYDOCK_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
DRYDOCK_INLINE F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
DRYDOCK_INLINE Mask greater(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
DRYDOCK_INLINE F32 select(Mask m, F32 yes, F32 no) { return _mm512_mask_blend_ps(m, no, yes); }

// The halves are added, then summed as on the AVX2 page.
DRYDOCK_INLINE float sum(F32 v) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

DRYDOCK_INLINE void transpose(F32 (&v)[kLanes]) {
    F32 pair[16], quad[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        pair[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        pair[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    // quad[4 g + c] holds, in its part p of four lanes, rows 4 g to 4 g + 3 of column 4 p + c.
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        quad[i] = _mm512_shuffle_ps(pair[i], pair[i + 2], 0x44);
        quad[i + 1] = _mm512_shuffle_ps(pair[i], pair[i + 2], 0xee);
        quad[i + 2] = _mm512_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        quad[i + 3] = _mm512_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
        const F32 low_even = _mm512_shuffle_f32x4(quad[c], quad[4 + c], 0x88);
        const F32 low_odd = _mm512_shuffle_f32x4(quad[c], quad[4 + c], 0xdd);
        const F32 high_even = _mm512_shuffle_f32x4(quad[8 + c], quad[12 + c], 0x88);
        const F32 high_odd = _mm512_shuffle_f32x4(quad[8 + c], quad[12 + c], 0xdd);
        v[c] = _mm512_shuffle_f32x4(low_even, high_even, 0x88);
        v[4 + c] = _mm512_shuffle_f32x4(low_odd, high_odd, 0x88);
        v[8 + c] = _mm512_shuffle_f32x4(low_even, high_even, 0xdd);
        v[12 + c] = _mm512_shuffle_f32x4(low_odd, high_odd, 0xdd);
    }
}

}  // namespace isa_avx512
}  // namespace drydock::simd
