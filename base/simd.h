// A vector of floats with one page per instruction set, so that a kernel is written once:
//
//   F32 x = load(p);  store(p, add(x, broadcast(1)));  // kLanes elements at a time
//   F32 x = load_first(p, n);                          // the tail: lanes from n on are 0
//
// The page is chosen by the macro that a file's target defines together with the compiler's flags
// (DRYDOCK_SIMD_AVX2 with -mavx2 -mfma); without one it is the scalar page, which gives the same
// bits lane by lane. A file that includes this header for an instruction set includes no header
// with inline functions of its own: they would be compiled with those flags, and the linker might
// keep that copy for the whole program. For the same reason everything here is always inlined, and
// a vector never crosses a call: how one is passed depends on the flags too.
#pragma once

#include <stdint.h>

#include "base/compiler.h"

#if defined(DRYDOCK_SIMD_AVX2)

#include <immintrin.h>

namespace drydock::simd {
inline namespace isa_avx2 {

constexpr int kLanes = 8;
using F32 = __m256;
using Mask = __m256;  // all bits of a lane are set, or none

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
// a > b ? a : b, so b where either is NaN or both are zeros.
DRYDOCK_INLINE F32 max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
// False where either is NaN.
DRYDOCK_INLINE Mask greater(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
DRYDOCK_INLINE F32 select(Mask m, F32 yes, F32 no) { return _mm256_blendv_ps(no, yes, m); }

// ((v0 + v4) + (v2 + v6)) + ((v1 + v5) + (v3 + v7))
DRYDOCK_INLINE float sum(F32 v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
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

#else

namespace drydock::simd {
inline namespace isa_scalar {

constexpr int kLanes = 8;
struct F32 {
    float lane[kLanes];
};
struct Mask {
    bool lane[kLanes];
};

// What each function does is said on the page above.

DRYDOCK_INLINE F32 broadcast(float x) { return {{x, x, x, x, x, x, x, x}}; }
DRYDOCK_INLINE F32 zero() { return broadcast(0); }
DRYDOCK_INLINE F32 load_first(const float* p, int64_t n) {
    F32 v = zero();
    for (int64_t i = 0; i < n; ++i) v.lane[i] = p[i];
    return v;
}
DRYDOCK_INLINE void store_first(float* p, F32 v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = v.lane[i];
}
DRYDOCK_INLINE F32 load(const float* p) { return load_first(p, kLanes); }
DRYDOCK_INLINE void store(float* p, F32 v) { store_first(p, v, kLanes); }

DRYDOCK_INLINE F32 add(F32 a, F32 b) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] += b.lane[i];
    return a;
}
DRYDOCK_INLINE F32 sub(F32 a, F32 b) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] -= b.lane[i];
    return a;
}
DRYDOCK_INLINE F32 mul(F32 a, F32 b) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] *= b.lane[i];
    return a;
}
DRYDOCK_INLINE F32 div(F32 a, F32 b) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] /= b.lane[i];
    return a;
}
DRYDOCK_INLINE F32 sqrt(F32 a) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] = __builtin_sqrtf(a.lane[i]);
    return a;
}
DRYDOCK_INLINE F32 fma(F32 a, F32 b, F32 c) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] = __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return a;
}
DRYDOCK_INLINE F32 max(F32 a, F32 b) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}
DRYDOCK_INLINE Mask greater(F32 a, F32 b) {
    Mask m;
    for (int i = 0; i < kLanes; ++i) m.lane[i] = a.lane[i] > b.lane[i];
    return m;
}
DRYDOCK_INLINE F32 select(Mask m, F32 yes, F32 no) {
    for (int i = 0; i < kLanes; ++i) no.lane[i] = m.lane[i] ? yes.lane[i] : no.lane[i];
    return no;
}
DRYDOCK_INLINE float sum(F32 v) {
    const float* l = v.lane;
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}
DRYDOCK_INLINE void transpose(F32 (&v)[kLanes]) {
    for (int i = 0; i < kLanes; ++i) {
        for (int j = 0; j < i; ++j) {
            const float swapped = v[i].lane[j];
            v[i].lane[j] = v[j].lane[i];
            v[j].lane[i] = swapped;
        }
    }
}

}  // namespace isa_scalar
}  // namespace drydock::simd

#endif
