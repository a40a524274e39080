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
using I32 = __m512i;

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
DRYDOCK_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return fma(a, b, c); }
DRYDOCK_INLINE F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
DRYDOCK_INLINE Mask greater(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
DRYDOCK_INLINE F32 select(Mask m, F32 yes, F32 no) { return _mm512_mask_blend_ps(m, no, yes); }

DRYDOCK_INLINE F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
DRYDOCK_INLINE F32 absolute(F32 a) { return _mm512_andnot_ps(broadcast(-0.0f), a); }
DRYDOCK_INLINE F32 negate(F32 a) { return _mm512_xor_ps(a, broadcast(-0.0f)); }
DRYDOCK_INLINE Mask greater_equal(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
DRYDOCK_INLINE Mask equal(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
DRYDOCK_INLINE Mask first(int64_t n) { return first_lanes(n); }
DRYDOCK_INLINE Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }

DRYDOCK_INLINE I32 broadcast_int(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
DRYDOCK_INLINE I32 lane_numbers() {
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
DRYDOCK_INLINE I32 bits_of(F32 a) { return _mm512_castps_si512(a); }
DRYDOCK_INLINE F32 float_of(I32 a) { return _mm512_castsi512_ps(a); }
DRYDOCK_INLINE F32 to_float(I32 a) { return _mm512_cvtepi32_ps(a); }
DRYDOCK_INLINE I32 add(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
DRYDOCK_INLINE I32 sub(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
DRYDOCK_INLINE I32 bit_and(I32 a, I32 b) { return _mm512_and_si512(a, b); }
DRYDOCK_INLINE I32 bit_xor(I32 a, I32 b) { return _mm512_xor_si512(a, b); }
DRYDOCK_INLINE I32 shift_left(I32 a, int bits) {
    return _mm512_slli_epi32(a, static_cast<unsigned>(bits));
}
DRYDOCK_INLINE I32 shift_right(I32 a, int bits) {
    return _mm512_srli_epi32(a, static_cast<unsigned>(bits));
}
DRYDOCK_INLINE I32 shift_right_signed(I32 a, int bits) {
    return _mm512_srai_epi32(a, static_cast<unsigned>(bits));
}
struct Product {
    I32 high, low;
};
DRYDOCK_INLINE Product multiply_full(I32 a, I32 b) {
    const I32 even = _mm512_mul_epu32(a, b);
    const I32 odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return {_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd),
            _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32))};
}

// The halves are added, then summed as on the AVX2 page.
DRYDOCK_INLINE float sum(F32 v) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

DRYDOCK_INLINE float largest(F32 v) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

DRYDOCK_INLINE void interleave(F32 (&v)[4]) {
    const F32 low01 = _mm512_unpacklo_ps(v[0], v[1]), high01 = _mm512_unpackhi_ps(v[0], v[1]);
    const F32 low23 = _mm512_unpacklo_ps(v[2], v[3]), high23 = _mm512_unpackhi_ps(v[2], v[3]);
    const F32 quad0 = _mm512_shuffle_ps(low01, low23, 0x44);
    const F32 quad1 = _mm512_shuffle_ps(low01, low23, 0xee);
    const F32 quad2 = _mm512_shuffle_ps(high01, high23, 0x44);
    const F32 quad3 = _mm512_shuffle_ps(high01, high23, 0xee);
    const F32 first01 = _mm512_shuffle_f32x4(quad0, quad1, 0x44);
    const F32 first23 = _mm512_shuffle_f32x4(quad2, quad3, 0x44);
    const F32 last01 = _mm512_shuffle_f32x4(quad0, quad1, 0xee);
    const F32 last23 = _mm512_shuffle_f32x4(quad2, quad3, 0xee);
    v[0] = _mm512_shuffle_f32x4(first01, first23, 0x88);
    v[1] = _mm512_shuffle_f32x4(first01, first23, 0xdd);
    v[2] = _mm512_shuffle_f32x4(last01, last23, 0x88);
    v[3] = _mm512_shuffle_f32x4(last01, last23, 0xdd);
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
