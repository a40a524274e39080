// The AVX2 page of base/simd.h, which says what each function does.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "base/compiler.h"

#define DRYDOCK_SIMD_NAMESPACE isa_avx2

namespace drydock::simd {
inline namespace isa_avx2 {

constexpr int kLanes = 8;
using F32 = __m256;
using Mask = __m256;  // all bits of a lane are set, or none
using I32 = __m256i;  // 32-bit integers, wrapping around

DRYDOCK_INLINE F32 zero() { return _mm256_setzero_ps(); }
DRYDOCK_INLINE F32 broadcast(float x) { return _mm256_set1_ps(x); }
DRYDOCK_INLINE F32 load(const float* p) { return _mm256_loadu_ps(p); }
DRYDOCK_INLINE void store(float* p, F32 v) { _mm256_storeu_ps(p, v); }

// n lanes set, 0 <= n <= kLanes.
DRYDOCK_INLINE __m256i first_lanes(int64_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}
// Memory behind the first n elements is neither read nor written. A full vector takes the plain
// instruction: a masked store costs tens of cycles on some processors, whatever its mask.
DRYDOCK_INLINE F32 load_first(const float* p, int64_t n) {
    return n == kLanes ? load(p) : _mm256_maskload_ps(p, first_lanes(n));
}
DRYDOCK_INLINE void store_first(float* p, F32 v, int64_t n) {
    if (n == kLanes) {
        store(p, v);
    } else {
        _mm256_maskstore_ps(p, first_lanes(n), v);
    }
}

DRYDOCK_INLINE F32 add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
DRYDOCK_INLINE F32 sub(F32 a, F32 b) { return _mm256_sub_ps(a, b); }
DRYDOCK_INLINE F32 mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
DRYDOCK_INLINE F32 div(F32 a, F32 b) { return _mm256_div_ps(a, b); }
DRYDOCK_INLINE F32 sqrt(F32 a) { return _mm256_sqrt_ps(a); }
// a b + c, rounded once.
DRYDOCK_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
// a b + c as the processor does it fastest, rounded once or twice.
DRYDOCK_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return fma(a, b, c); }
// a > b ? a : b, so b where either is NaN or both are zeros.
DRYDOCK_INLINE F32 max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
// False where either is NaN.
DRYDOCK_INLINE Mask greater(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
DRYDOCK_INLINE F32 select(Mask m, F32 yes, F32 no) { return _mm256_blendv_ps(no, yes, m); }

// a < b ? a : b, so b where either is NaN or both are zeros.
DRYDOCK_INLINE F32 min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
// The sign's bit is cleared or flipped, of NaN too.
DRYDOCK_INLINE F32 absolute(F32 a) { return _mm256_andnot_ps(broadcast(-0.0f), a); }
DRYDOCK_INLINE F32 negate(F32 a) { return _mm256_xor_ps(a, broadcast(-0.0f)); }
// False where either is NaN.
DRYDOCK_INLINE Mask greater_equal(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
DRYDOCK_INLINE Mask equal(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
// The first n lanes, 0 <= n <= kLanes.
DRYDOCK_INLINE Mask first(int64_t n) { return _mm256_castsi256_ps(first_lanes(n)); }
DRYDOCK_INLINE Mask both(Mask a, Mask b) { return _mm256_and_ps(a, b); }

DRYDOCK_INLINE I32 broadcast_int(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
// 0, 1, …, kLanes - 1
DRYDOCK_INLINE I32 lane_numbers() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
// The same bits, as integers and as floats.
DRYDOCK_INLINE I32 bits_of(F32 a) { return _mm256_castps_si256(a); }
DRYDOCK_INLINE F32 float_of(I32 a) { return _mm256_castsi256_ps(a); }
// The nearest float of a signed integer.
DRYDOCK_INLINE F32 to_float(I32 a) { return _mm256_cvtepi32_ps(a); }
DRYDOCK_INLINE I32 add(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
DRYDOCK_INLINE I32 sub(I32 a, I32 b) { return _mm256_sub_epi32(a, b); }
DRYDOCK_INLINE I32 bit_and(I32 a, I32 b) { return _mm256_and_si256(a, b); }
DRYDOCK_INLINE I32 bit_xor(I32 a, I32 b) { return _mm256_xor_si256(a, b); }
// By a constant number of bits below 32; to the right zeros or copies of the sign follow.
DRYDOCK_INLINE I32 shift_left(I32 a, int bits) { return _mm256_slli_epi32(a, bits); }
DRYDOCK_INLINE I32 shift_right(I32 a, int bits) { return _mm256_srli_epi32(a, bits); }
DRYDOCK_INLINE I32 shift_right_signed(I32 a, int bits) { return _mm256_srai_epi32(a, bits); }
// The 64 bits of the unsigned product.
struct Product {
    I32 high, low;
};
DRYDOCK_INLINE Product multiply_full(I32 a, I32 b) {
    const I32 even = _mm256_mul_epu32(a, b);
    const I32 odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    return {_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa),
            _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa)};
}

// ((v0 + v4) + (v2 + v6)) + ((v1 + v5) + (v3 + v7))
DRYDOCK_INLINE float sum(F32 v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// The same tree with max().
DRYDOCK_INLINE float largest(F32 v) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// Element 4 i + k of the four vectors as one array becomes lane i of v[k].
DRYDOCK_INLINE void interleave(F32 (&v)[4]) {
    const F32 low01 = _mm256_unpacklo_ps(v[0], v[1]), high01 = _mm256_unpackhi_ps(v[0], v[1]);
    const F32 low23 = _mm256_unpacklo_ps(v[2], v[3]), high23 = _mm256_unpackhi_ps(v[2], v[3]);
    const F32 quad0 = _mm256_shuffle_ps(low01, low23, 0x44);
    const F32 quad1 = _mm256_shuffle_ps(low01, low23, 0xee);
    const F32 quad2 = _mm256_shuffle_ps(high01, high23, 0x44);
    const F32 quad3 = _mm256_shuffle_ps(high01, high23, 0xee);
    v[0] = _mm256_permute2f128_ps(quad0, quad1, 0x20);
    v[1] = _mm256_permute2f128_ps(quad2, quad3, 0x20);
    v[2] = _mm256_permute2f128_ps(quad0, quad1, 0x31);
    v[3] = _mm256_permute2f128_ps(quad2, quad3, 0x31);
}

// v[i][j] becomes v[j][i].
DRYDOCK_INLINE void transpose(F32 (&v)[kLanes]) {
    F32 pair[8], quad[8];
    for (int i = 0; i < 8; i += 2) {
        pair[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        pair[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        quad[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
        quad[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
        quad[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        quad[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
    }
    for (int i = 0; i < 4; ++i) {
        v[i] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31);
    }
}

}  // namespace isa_avx2
}  // namespace drydock::simd
