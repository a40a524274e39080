// x Phi(x) with Phi the normal distribution function: gelu in its exact form, 0.5 x (1 + erf(x /
// sqrt 2)), with the same bits on every machine.
#pragma once

#include "base/math.h"

namespace drydock::policy {

// Within 3e-7 |x| of the exact value; NaN for NaN. Phi(-|x|) = erfc(z) / 2 with z = |x| / sqrt 2,
// and log erfc(z) = -z^2 + a polynomial in 2 / (2 + z) that is near-minimax for z in [0, 6]; from
// there on Phi(-|x|) is as good as 0.
template <class Fma>
DRYDOCK_INLINE float gelu(float x) {
    const float size = (x < 0.0f ? -x : x) * 0.707106781f;
    const float z = size > 6.0f ? 6.0f : size;
    const float t = 2.0f / (2.0f + z) - 0.625f;
    float p = 0x1.571ac8p+2f;
    p = Fma::fma(p, t, -0x1.cf68e4p+2f);
    p = Fma::fma(p, t, 0x1.2ee186p+2f);
    p = Fma::fma(p, t, -0x1.7c9ffap+1f);
    p = Fma::fma(p, t, 0x1.28f85ep+1f);
    p = Fma::fma(p, t, -0x1.9aebc4p+0f);
    p = Fma::fma(p, t, 0x1.ea287ap-1f);
    p = Fma::fma(p, t, -0x1.3d8f3ep+0f);
    p = Fma::fma(p, t, 0x1.7cb192p+1f);
    p = Fma::fma(p, t, -0x1.f160a0p-1f);
    const float tail = 0.5f * drydock::exp<Fma>(Fma::fma(-z, z, p));
    return x * (x < 0.0f ? tail : 1.0f - tail);
}

}  // namespace drydock::policy
