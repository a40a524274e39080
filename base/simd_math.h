// exp, log, tanh and the normal distribution on the vectors of base/simd.h, with the same bits on
// every page. exp and tanh are those of base/math.h, bit for bit. The largest errors below are
// measured by tests/kernels/simd_math_test.cpp over the whole range.
#pragma once

#include "base/simd.h"

namespace drydock::simd {
inline namespace DRYDOCK_SIMD_NAMESPACE {

// p c + next, the step of Horner's rule.
DRYDOCK_INLINE F32 horner(F32 p, F32 x, float next) { return fma(p, x, broadcast(next)); }

// e^x within 1.1 ulp; 0 below -103.98, infinity above 88.72, NaN for NaN. See base/math.h.
DRYDOCK_INLINE F32 exp(F32 x) {
    x = min(broadcast(89.0f), max(broadcast(-104.0f), x));
    const F32 shifted = fma(x, broadcast(1.44269504f), broadcast(12582912.0f));
    const F32 n = sub(shifted, broadcast(12582912.0f));
    const I32 whole = sub(bits_of(shifted), broadcast_int(0x4b400000u));
    F32 r = fma(n, broadcast(-0.693145752f), x);
    r = fma(n, broadcast(-1.42860677e-6f), r);
    F32 p = broadcast(0x1.6a23cep-10f);
    p = horner(p, r, 0x1.123a2p-7f);
    p = horner(p, r, 0x1.5558f2p-5f);
    p = horner(p, r, 0x1.555492p-3f);
    p = horner(p, r, 0x1.fffffcp-2f);
    const F32 y = add(broadcast(1.0f), fma(p, mul(r, r), r));
    const I32 half = shift_right_signed(whole, 1);
    const I32 first = shift_left(add(half, broadcast_int(127)), 23);
    const I32 second = shift_left(add(sub(whole, half), broadcast_int(127)), 23);
    return mul(mul(y, float_of(first)), float_of(second));
}

// ln(1 + r) within 0.9 ulp for r in [sqrt(1/2) - 1, sqrt(2) - 1]: r - r^2 / 2 + r^3 P(r) with P
// near-minimax in the relative error of the whole.
DRYDOCK_INLINE F32 log_near_one(F32 r) {
    F32 p = broadcast(-0x1.38b4ccp-4f);
    p = horner(p, r, 0x1.055b46p-3f);
    p = horner(p, r, -0x1.0d8552p-3f);
    p = horner(p, r, 0x1.22da22p-3f);
    p = horner(p, r, -0x1.547244p-3f);
    p = horner(p, r, 0x1.99a008p-3f);
    p = horner(p, r, -0x1.000228p-2f);
    p = horner(p, r, 0x1.555554p-2f);
    const F32 square = mul(r, r);
    return add(r, fma(broadcast(-0.5f), square, mul(mul(r, square), p)));
}

// ln x within 1 ulp; -infinity for zeros, NaN below and for NaN, infinity for infinity.
DRYDOCK_INLINE F32 log(F32 x) {
    const Mask subnormal = greater(broadcast(0x1p-126f), x);
    const F32 normal = select(subnormal, mul(x, broadcast(0x1p23f)), x);
    // x = 2^n (1 + r) with 1 + r in [sqrt(1/2), sqrt(2)), by integer arithmetic on its bits.
    const I32 above = sub(bits_of(normal), broadcast_int(0x3f3504f3u));
    const F32 exponent = to_float(shift_right_signed(above, 23));
    const F32 n = sub(exponent, select(subnormal, broadcast(23.0f), zero()));
    const I32 fraction =
        add(bit_and(above, broadcast_int(0x007fffffu)), broadcast_int(0x3f3504f3u));
    const F32 near = log_near_one(sub(float_of(fraction), broadcast(1.0f)));
    // ln 2 in two parts, of which the first has zeros at its end.
    const F32 y = add(fma(n, broadcast(1.42860677e-6f), near), mul(n, broadcast(0.693145752f)));
    const F32 infinity = broadcast(__builtin_inff());
    const F32 positive = select(equal(x, infinity), infinity, y);
    const F32 at_ends = select(equal(x, zero()), negate(infinity), broadcast(__builtin_nanf("")));
    return select(greater(x, zero()), positive, at_ends);
}

// ln(1 + x) within 2 ulp for x in [0, 1]; NaN for NaN. The rounding of 1 + x is made good to first
// order.
DRYDOCK_INLINE F32 log1p_of_fraction(F32 x) {
    const F32 u = add(broadcast(1.0f), x);
    const F32 lost = sub(x, sub(u, broadcast(1.0f)));
    const Mask upper = greater(u, broadcast(1.41421354f));
    const F32 r = sub(select(upper, mul(u, broadcast(0.5f)), u), broadcast(1.0f));
    const F32 y = add(log_near_one(r), div(lost, u));
    return add(y, select(upper, broadcast(0.693147182f), zero()));
}

// tanh x within 1.5 ulp; odd, in [-1, 1], NaN for NaN; 0 for -0. See base/math.h.
DRYDOCK_INLINE F32 tanh(F32 x) {
    const F32 size = select(greater(zero(), x), negate(x), x);
    const F32 u = mul(x, x);
    F32 p = broadcast(-0x1.75e1cap-8f);
    p = horner(p, u, 0x1.52269ap-6f);
    p = horner(p, u, -0x1.b83c5ap-5f);
    p = horner(p, u, 0x1.110726p-3f);
    p = horner(p, u, -0x1.555532p-2f);
    const F32 near = fma(mul(p, u), x, x);
    const F32 bounded = min(broadcast(10.0f), size);
    const F32 quotient = div(broadcast(2.0f), add(exp(add(bounded, bounded)), broadcast(1.0f)));
    const F32 far = sub(broadcast(1.0f), quotient);
    const F32 signed_far = select(greater(zero(), x), negate(far), far);
    return select(greater(broadcast(0.625f), size), near, signed_far);
}

// Of the standard normal distribution: the probability below x, within 3e-7, and the density,
// within 2e-7; both NaN for NaN.
struct Normal {
    F32 below, density;
};
// The probability beyond |x| is e^(-x^2 / 2) times a slow function of |x|, here a near-minimax
// polynomial in 1 / (1 + 0.4 |x| / sqrt 2) for |x| up to 8.5. Further out it is 0.
DRYDOCK_INLINE Normal normal(F32 x) {
    const F32 size = absolute(x);
    const F32 one = broadcast(1.0f);
    const F32 t = sub(div(one, fma(size, broadcast(0.282842712f), one)), broadcast(0.6f));
    F32 p = broadcast(0x1.5a4fcp-5f);
    p = horner(p, t, -0x1.5cf50cp-6f);
    p = horner(p, t, -0x1.cd6322p-4f);
    p = horner(p, t, 0x1.a7b872p-9f);
    p = horner(p, t, 0x1.58fb98p-2f);
    p = horner(p, t, 0x1.43cb48p-1f);
    p = horner(p, t, 0x1.58a496p-1f);
    p = horner(p, t, 0x1.f475a2p-2f);
    p = horner(p, t, 0x1.2f65fcp-3f);
    const F32 bell = exp(mul(mul(x, x), broadcast(-0.5f)));
    const F32 beyond = select(greater(size, broadcast(8.5f)), zero(), mul(bell, p));
    return {select(greater(x, zero()), sub(one, beyond), beyond),
            mul(bell, broadcast(0.398942280f))};
}

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::simd
