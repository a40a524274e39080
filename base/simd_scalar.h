// The scalar page of base/simd.h: the definition of every function, lane by lane.
#pragma once

#include <stdint.h>

#include "base/compiler.h"

// As many lanes as the page has that it is held against.
#if !defined(DRYDOCK_SIMD_SCALAR_LANES)
#define DRYDOCK_SIMD_SCALAR_LANES 8
#endif
#if DRYDOCK_SIMD_SCALAR_LANES == 4
#define DRYDOCK_SIMD_NAMESPACE isa_scalar4
#elif DRYDOCK_SIMD_SCALAR_LANES == 8
#define DRYDOCK_SIMD_NAMESPACE isa_scalar8
#else
#define DRYDOCK_SIMD_NAMESPACE isa_scalar16
#endif

namespace drydock::simd {
inline namespace DRYDOCK_SIMD_NAMESPACE {

constexpr int kLanes = DRYDOCK_SIMD_SCALAR_LANES;
struct F32 {
    float lane[kLanes];
};
struct Mask {
    bool lane[kLanes];
};
struct I32 {
    uint32_t lane[kLanes];
};

// What each function does is said on the page above.

DRYDOCK_INLINE F32 broadcast(float x) {
    F32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = x;
    return v;
}
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
DRYDOCK_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return fma(a, b, c); }
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

DRYDOCK_INLINE F32 min(F32 a, F32 b) {
    F32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
    return v;
}
DRYDOCK_INLINE F32 absolute(F32 a) {
    F32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = __builtin_fabsf(a.lane[i]);
    return v;
}
DRYDOCK_INLINE F32 negate(F32 a) {
    F32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = -a.lane[i];
    return v;
}
DRYDOCK_INLINE Mask greater_equal(F32 a, F32 b) {
    Mask m;
    for (int i = 0; i < kLanes; ++i) m.lane[i] = a.lane[i] >= b.lane[i];
    return m;
}
DRYDOCK_INLINE Mask equal(F32 a, F32 b) {
    Mask m;
    for (int i = 0; i < kLanes; ++i) m.lane[i] = a.lane[i] == b.lane[i];
    return m;
}
DRYDOCK_INLINE Mask first(int64_t n) {
    Mask m;
    for (int i = 0; i < kLanes; ++i) m.lane[i] = i < n;
    return m;
}
DRYDOCK_INLINE Mask both(Mask a, Mask b) {
    Mask m;
    for (int i = 0; i < kLanes; ++i) m.lane[i] = a.lane[i] && b.lane[i];
    return m;
}

DRYDOCK_INLINE I32 broadcast_int(uint32_t x) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = x;
    return v;
}
DRYDOCK_INLINE I32 lane_numbers() {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = static_cast<uint32_t>(i);
    return v;
}
DRYDOCK_INLINE I32 bits_of(F32 a) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = __builtin_bit_cast(uint32_t, a.lane[i]);
    return v;
}
DRYDOCK_INLINE F32 float_of(I32 a) {
    F32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = __builtin_bit_cast(float, a.lane[i]);
    return v;
}
DRYDOCK_INLINE F32 to_float(I32 a) {
    F32 v;
    for (int i = 0; i < kLanes; ++i)
        v.lane[i] = static_cast<float>(static_cast<int32_t>(a.lane[i]));
    return v;
}
DRYDOCK_INLINE I32 add(I32 a, I32 b) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] + b.lane[i];
    return v;
}
DRYDOCK_INLINE I32 sub(I32 a, I32 b) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] - b.lane[i];
    return v;
}
DRYDOCK_INLINE I32 bit_and(I32 a, I32 b) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] & b.lane[i];
    return v;
}
DRYDOCK_INLINE I32 bit_xor(I32 a, I32 b) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] ^ b.lane[i];
    return v;
}
DRYDOCK_INLINE I32 shift_left(I32 a, int bits) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] << bits;
    return v;
}
DRYDOCK_INLINE I32 shift_right(I32 a, int bits) {
    I32 v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] >> bits;
    return v;
}
DRYDOCK_INLINE I32 shift_right_signed(I32 a, int bits) {
    I32 v;
    for (int i = 0; i < kLanes; ++i)
        v.lane[i] = static_cast<uint32_t>(static_cast<int32_t>(a.lane[i]) >> bits);
    return v;
}
struct Product {
    I32 high, low;
};
DRYDOCK_INLINE Product multiply_full(I32 a, I32 b) {
    Product p;
    for (int i = 0; i < kLanes; ++i) {
        const uint64_t whole = uint64_t{a.lane[i]} * b.lane[i];
        p.high.lane[i] = static_cast<uint32_t>(whole >> 32);
        p.low.lane[i] = static_cast<uint32_t>(whole);
    }
    return p;
}
DRYDOCK_INLINE float sum(F32 v) {
    float lane[kLanes];
    for (int i = 0; i < kLanes; ++i) lane[i] = v.lane[i];
    for (int n = kLanes / 2; n > 0; n /= 2) {
        for (int i = 0; i < n; ++i) lane[i] += lane[i + n];
    }
    return lane[0];
}
DRYDOCK_INLINE float largest(F32 v) {
    float lane[kLanes];
    for (int i = 0; i < kLanes; ++i) lane[i] = v.lane[i];
    for (int n = kLanes / 2; n > 0; n /= 2) {
        for (int i = 0; i < n; ++i) lane[i] = lane[i] > lane[i + n] ? lane[i] : lane[i + n];
    }
    return lane[0];
}
DRYDOCK_INLINE void interleave(F32 (&v)[4]) {
    F32 all[4];
    for (int k = 0; k < 4 * kLanes; ++k) all[k / kLanes].lane[k % kLanes] = v[k % 4].lane[k / 4];
    for (int k = 0; k < 4; ++k) v[k] = all[k];
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

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::simd
