// The portable page of base/simd.h: vectors of the compiler, on the instructions that every
// processor of its kind has. fma is right and slow, a call for every lane; products take
// multiply_add.
#pragma once

#include <stdint.h>

#include "base/compiler.h"

#define DRYDOCK_SIMD_NAMESPACE isa_portable

namespace drydock::simd {
inline namespace isa_portable {

constexpr int kLanes = 4;
using F32 = float __attribute__((vector_size(16)));
using I32 = uint32_t __attribute__((vector_size(16)));
using Mask = int32_t __attribute__((vector_size(16)));  // all bits of a lane are set, or none

DRYDOCK_INLINE F32 broadcast(float x) { return F32{x, x, x, x}; }
DRYDOCK_INLINE F32 zero() { return broadcast(0); }
// The same values at any address.
struct Unaligned {
    F32 value;
} __attribute__((packed, may_alias));
DRYDOCK_INLINE F32 load(const float* p) { return reinterpret_cast<const Unaligned*>(p)->value; }
DRYDOCK_INLINE void store(float* p, F32 v) { reinterpret_cast<Unaligned*>(p)->value = v; }
DRYDOCK_INLINE F32 load_first(const float* p, int64_t n) {
    if (n == kLanes) return load(p);
    return F32{n > 0 ? p[0] : 0.0f, n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f};
}
DRYDOCK_INLINE void store_first(float* p, F32 v, int64_t n) {
    if (n == kLanes) return store(p, v);
    if (n > 0) p[0] = v[0];
    if (n > 1) p[1] = v[1];
    if (n > 2) p[2] = v[2];
}

DRYDOCK_INLINE F32 float_of(I32 a) { return reinterpret_cast<F32>(a); }
DRYDOCK_INLINE I32 bits_of(F32 a) { return reinterpret_cast<I32>(a); }

DRYDOCK_INLINE F32 add(F32 a, F32 b) { return a + b; }
DRYDOCK_INLINE F32 sub(F32 a, F32 b) { return a - b; }
DRYDOCK_INLINE F32 mul(F32 a, F32 b) { return a * b; }
DRYDOCK_INLINE F32 div(F32 a, F32 b) { return a / b; }
DRYDOCK_INLINE F32 sqrt(F32 a) {
    return F32{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]),
               __builtin_sqrtf(a[3])};
}
DRYDOCK_INLINE F32 fma(F32 a, F32 b, F32 c) {
    return F32{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]),
               __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
}
DRYDOCK_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return a * b + c; }
DRYDOCK_INLINE Mask greater(F32 a, F32 b) { return a > b; }
DRYDOCK_INLINE Mask greater_equal(F32 a, F32 b) { return a >= b; }
DRYDOCK_INLINE Mask equal(F32 a, F32 b) { return a == b; }
DRYDOCK_INLINE F32 select(Mask m, F32 yes, F32 no) {
    const I32 chosen = reinterpret_cast<I32>(m);
    return float_of((bits_of(yes) & chosen) | (bits_of(no) & ~chosen));
}
DRYDOCK_INLINE F32 max(F32 a, F32 b) { return select(greater(a, b), a, b); }
DRYDOCK_INLINE F32 min(F32 a, F32 b) { return select(greater(b, a), a, b); }
DRYDOCK_INLINE F32 absolute(F32 a) { return float_of(bits_of(a) & 0x7fffffffu); }
DRYDOCK_INLINE F32 negate(F32 a) { return float_of(bits_of(a) ^ 0x80000000u); }

DRYDOCK_INLINE I32 broadcast_int(uint32_t x) { return I32{x, x, x, x}; }
DRYDOCK_INLINE I32 lane_numbers() { return I32{0, 1, 2, 3}; }
DRYDOCK_INLINE Mask first(int64_t n) {
    return lane_numbers() < broadcast_int(static_cast<uint32_t>(n));
}
DRYDOCK_INLINE Mask both(Mask a, Mask b) { return a & b; }
DRYDOCK_INLINE F32 to_float(I32 a) {
    return __builtin_convertvector(reinterpret_cast<Mask>(a), F32);
}
DRYDOCK_INLINE I32 add(I32 a, I32 b) { return a + b; }
DRYDOCK_INLINE I32 sub(I32 a, I32 b) { return a - b; }
DRYDOCK_INLINE I32 bit_and(I32 a, I32 b) { return a & b; }
DRYDOCK_INLINE I32 bit_xor(I32 a, I32 b) { return a ^ b; }
DRYDOCK_INLINE I32 shift_left(I32 a, int bits) { return a << bits; }
DRYDOCK_INLINE I32 shift_right(I32 a, int bits) { return a >> bits; }
DRYDOCK_INLINE I32 shift_right_signed(I32 a, int bits) {
    return reinterpret_cast<I32>(reinterpret_cast<Mask>(a) >> bits);
}
struct Product {
    I32 high, low;
};
DRYDOCK_INLINE Product multiply_full(I32 a, I32 b) {
    const auto high = [&](int i) __attribute__((always_inline)) {
        return static_cast<uint32_t>(uint64_t{a[i]} * b[i] >> 32);
    };
    return {I32{high(0), high(1), high(2), high(3)}, a * b};
}

// (v0 + v2) + (v1 + v3), and the same tree with max().
DRYDOCK_INLINE float sum(F32 v) { return (v[0] + v[2]) + (v[1] + v[3]); }
DRYDOCK_INLINE float largest(F32 v) {
    const float even = v[0] > v[2] ? v[0] : v[2], odd = v[1] > v[3] ? v[1] : v[3];
    return even > odd ? even : odd;
}
// v[i][j] becomes v[j][i].
DRYDOCK_INLINE void transpose(F32 (&v)[kLanes]) {
    const F32 low01 = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
    const F32 low23 = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
    const F32 high01 = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
    const F32 high23 = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}
// Of four vectors of four lanes: element 4 i + k becomes lane i of v[k].
DRYDOCK_INLINE void interleave(F32 (&v)[4]) { transpose(v); }

}  // namespace isa_portable
}  // namespace drydock::simd
