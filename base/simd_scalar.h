// The scalar page of base/simd.h: the definition of every function, lane by lane.
#pragma once

#include <stdint.h>

#include "base/compiler.h"

#define DRYDOCK_SIMD_NAMESPACE isa_scalar

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
