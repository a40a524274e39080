// The NEON page of base/simd.h for 64-bit ARM; base/simd_avx2.h says what each function does.
#pragma once

#include <arm_neon.h>
#include <stdint.h>

#include "base/compiler.h"

#define DRYDOCK_SIMD_NAMESPACE isa_neon

namespace drydock::simd {
inline namespace isa_neon {

constexpr int kLanes = 4;
using F32 = float32x4_t;
using I32 = uint32x4_t;
// All bits of a lane are set, or none. A type of its own, for the processor's is that of I32.
struct Mask {
    uint32x4_t lanes;
};

DRYDOCK_INLINE F32 zero() { return vdupq_n_f32(0); }
DRYDOCK_INLINE F32 broadcast(float x) { return vdupq_n_f32(x); }
DRYDOCK_INLINE F32 load(const float* p) { return vld1q_f32(p); }
DRYDOCK_INLINE void store(float* p, F32 v) { vst1q_f32(p, v); }
// There are no masked loads: two lanes and one.
DRYDOCK_INLINE F32 load_first(const float* p, int64_t n) {
    if (n == kLanes) return load(p);
    if (n == 1) return vld1q_lane_f32(p, zero(), 0);
    F32 v = zero();
    if (n >= 2) v = vcombine_f32(vld1_f32(p), vdup_n_f32(0));
    if (n == 3) v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}
DRYDOCK_INLINE void store_first(float* p, F32 v, int64_t n) {
    if (n == kLanes) return store(p, v);
    if (n == 1) return vst1q_lane_f32(p, v, 0);
    if (n >= 2) vst1_f32(p, vget_low_f32(v));
    if (n == 3) vst1q_lane_f32(p + 2, v, 2);
}

DRYDOCK_INLINE F32 add(F32 a, F32 b) { return vaddq_f32(a, b); }
DRYDOCK_INLINE F32 sub(F32 a, F32 b) { return vsubq_f32(a, b); }
DRYDOCK_INLINE F32 mul(F32 a, F32 b) { return vmulq_f32(a, b); }
DRYDOCK_INLINE F32 div(F32 a, F32 b) { return vdivq_f32(a, b); }
DRYDOCK_INLINE F32 sqrt(F32 a) { return vsqrtq_f32(a); }
DRYDOCK_INLINE F32 fma(F32 a, F32 b, F32 c) { return vfmaq_f32(c, a, b); }
DRYDOCK_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return fma(a, b, c); }
DRYDOCK_INLINE Mask greater(F32 a, F32 b) { return {vcgtq_f32(a, b)}; }
DRYDOCK_INLINE Mask greater_equal(F32 a, F32 b) { return {vcgeq_f32(a, b)}; }
DRYDOCK_INLINE Mask equal(F32 a, F32 b) { return {vceqq_f32(a, b)}; }
DRYDOCK_INLINE F32 select(Mask m, F32 yes, F32 no) { return vbslq_f32(m.lanes, yes, no); }
// The instructions for max and min would keep a NaN of a and order the zeros.
DRYDOCK_INLINE F32 max(F32 a, F32 b) { return select(greater(a, b), a, b); }
DRYDOCK_INLINE F32 min(F32 a, F32 b) { return select(greater(b, a), a, b); }
DRYDOCK_INLINE F32 absolute(F32 a) { return vabsq_f32(a); }
DRYDOCK_INLINE F32 negate(F32 a) { return vnegq_f32(a); }

DRYDOCK_INLINE I32 broadcast_int(uint32_t x) { return vdupq_n_u32(x); }
DRYDOCK_INLINE I32 lane_numbers() {
    const uint32_t numbers[] = {0, 1, 2, 3};
    return vld1q_u32(numbers);
}
DRYDOCK_INLINE Mask first(int64_t n) {
    return {vcltq_u32(lane_numbers(), vdupq_n_u32(static_cast<uint32_t>(n)))};
}
DRYDOCK_INLINE Mask both(Mask a, Mask b) { return {vandq_u32(a.lanes, b.lanes)}; }
DRYDOCK_INLINE I32 bits_of(F32 a) { return vreinterpretq_u32_f32(a); }
DRYDOCK_INLINE F32 float_of(I32 a) { return vreinterpretq_f32_u32(a); }
DRYDOCK_INLINE F32 to_float(I32 a) { return vcvtq_f32_s32(vreinterpretq_s32_u32(a)); }
DRYDOCK_INLINE I32 add(I32 a, I32 b) { return vaddq_u32(a, b); }
DRYDOCK_INLINE I32 sub(I32 a, I32 b) { return vsubq_u32(a, b); }
DRYDOCK_INLINE I32 bit_and(I32 a, I32 b) { return vandq_u32(a, b); }
DRYDOCK_INLINE I32 bit_xor(I32 a, I32 b) { return veorq_u32(a, b); }
// Operators, for the intrinsics want the number of bits as a literal.
DRYDOCK_INLINE I32 shift_left(I32 a, int bits) { return a << bits; }
DRYDOCK_INLINE I32 shift_right(I32 a, int bits) { return a >> bits; }
DRYDOCK_INLINE I32 shift_right_signed(I32 a, int bits) {
    return vreinterpretq_u32_s32(vreinterpretq_s32_u32(a) >> bits);
}
struct Product {
    I32 high, low;
};
DRYDOCK_INLINE Product multiply_full(I32 a, I32 b) {
    const uint32x4_t low = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), vget_low_u32(b)));
    const uint32x4_t high = vreinterpretq_u32_u64(vmull_high_u32(a, b));
    return {vuzp2q_u32(low, high), vuzp1q_u32(low, high)};
}

// (v0 + v2) + (v1 + v3)
DRYDOCK_INLINE float sum(F32 v) {
    const float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
// The same tree with max().
DRYDOCK_INLINE float largest(F32 v) {
    const F32 two = max(v, vextq_f32(v, v, 2));
    const float even = vgetq_lane_f32(two, 0), odd = vgetq_lane_f32(two, 1);
    return even > odd ? even : odd;
}
DRYDOCK_INLINE void transpose(F32 (&v)[kLanes]) {
    const F32 low01 = vzip1q_f32(v[0], v[1]), high01 = vzip2q_f32(v[0], v[1]);
    const F32 low23 = vzip1q_f32(v[2], v[3]), high23 = vzip2q_f32(v[2], v[3]);
    const auto halves = [](F32 a, F32 b) __attribute__((always_inline)) {
        return vcombine_f32(vget_low_f32(a), vget_low_f32(b));
    };
    const auto upper = [](F32 a, F32 b) __attribute__((always_inline)) {
        return vcombine_f32(vget_high_f32(a), vget_high_f32(b));
    };
    v[0] = halves(low01, low23);
    v[1] = upper(low01, low23);
    v[2] = halves(high01, high23);
    v[3] = upper(high01, high23);
}
// Four vectors of four lanes are a square.
DRYDOCK_INLINE void interleave(F32 (&v)[4]) { transpose(v); }

}  // namespace isa_neon
}  // namespace drydock::simd
