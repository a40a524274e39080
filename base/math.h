// Fused multiply-add, exp and tanh for float with the same bits on every machine, whatever its
// libm, its instruction set and its compiler. Written without branches, so that loops over them
// become vector code. The largest errors below are measured by tests/base/math_tests.cpp.
//
// The functions take the multiply-add as a template parameter: a function that is compiled for a
// processor with the instruction names HardwareFma, everything else leaves it at DefaultFma.
// Files that use this header are compiled with -ffp-contract=off.
#pragma once

#include <cstdint>

#include "base/compiler.h"

namespace drydock {

// a b + c, rounded once, by the processor's instruction (or, without one, by a call to fmaf).
struct HardwareFma {
    static DRYDOCK_INLINE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
};

// The same bits in double arithmetic. The product of two floats is exact in double; their sum with
// c is rounded to odd, and a number rounded to odd with two spare bits or more can be rounded again
// without error (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
struct EmulatedFma {
    static DRYDOCK_INLINE float fma(float a, float b, float c) {
        const double product = static_cast<double>(a) * static_cast<double>(b);
        const double addend = static_cast<double>(c);
        const double sum = product + addend;
        const double part = sum - product;
        const double error = (product - (sum - part)) + (addend - part);
        const auto bits = __builtin_bit_cast(std::uint64_t, sum);
        const bool inexact = error > 0.0 || error < 0.0;
        const bool even = (bits & 1) == 0;
        const bool outwards = (error > 0.0) == (sum > 0.0);
        const std::uint64_t odd = outwards ? bits + 1 : bits - 1;
        return static_cast<float>(__builtin_bit_cast(double, inexact&& even ? odd : bits));
    }
};

#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) || defined(__CUDACC__)
using DefaultFma = HardwareFma;
#else
using DefaultFma = EmulatedFma;
#endif

// e^x within 1.1 ulp; 0 below -103.98, infinity above 88.72, NaN for NaN. e^x = 2^n e^r with n the
// nearest integer to x / ln 2 and a polynomial for e^r that is near-minimax on |r| <= ln 2 / 2.
template <class Fma = DefaultFma>
DRYDOCK_INLINE float exp(float x) {
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    // Adding 1.5 2^23 leaves the rounded quotient in the low bits.
    const float shifted = Fma::fma(x, 1.44269504f, 12582912.0f);
    const float n = shifted - 12582912.0f;
    const auto whole =
        static_cast<std::int32_t>(__builtin_bit_cast(std::uint32_t, shifted) - 0x4b400000u);
    // ln 2 in two parts, of which the first has zeros at its end.
    float r = Fma::fma(n, -0.693145752f, x);
    r = Fma::fma(n, -1.42860677e-6f, r);
    float p = 0x1.6a23cep-10f;
    p = Fma::fma(p, r, 0x1.123a2p-7f);
    p = Fma::fma(p, r, 0x1.5558f2p-5f);
    p = Fma::fma(p, r, 0x1.555492p-3f);
    p = Fma::fma(p, r, 0x1.fffffcp-2f);
    const float y = 1.0f + Fma::fma(p, r * r, r);
    // 2^n in two factors: alone it may be beyond the range of float where the result is not.
    const std::int32_t half = whole >> 1;
    const auto first = static_cast<std::uint32_t>(half + 127) << 23;
    const auto second = static_cast<std::uint32_t>(whole - half + 127) << 23;
    return y * __builtin_bit_cast(float, first) * __builtin_bit_cast(float, second);
}

// tanh x within 1.5 ulp; odd, in [-1, 1], NaN for NaN; 0 for -0. An odd polynomial below 0.625
// (near- minimax in relative error), 1 - 2 / (e^2|x| + 1) above.
template <class Fma = DefaultFma>
DRYDOCK_INLINE float tanh(float x) {
    const float size = x < 0.0f ? -x : x;
    const float u = x * x;
    float p = -0x1.75e1cap-8f;
    p = Fma::fma(p, u, 0x1.52269ap-6f);
    p = Fma::fma(p, u, -0x1.b83c5ap-5f);
    p = Fma::fma(p, u, 0x1.110726p-3f);
    p = Fma::fma(p, u, -0x1.555532p-2f);
    const float near = Fma::fma(p * u, x, x);
    // From 9.02 on the result is 1; the bound keeps e^2|x| small.
    const float bounded = size > 10.0f ? 10.0f : size;
    const float far = 1.0f - 2.0f / (exp<Fma>(bounded + bounded) + 1.0f);
    return size < 0.625f ? near : (x < 0.0f ? -far : far);
}

}  // namespace drydock
