// bfloat16: the upper half of a float.
#pragma once

#include <stdint.h>

#include "base/compiler.h"

namespace drydock {

// The nearest bfloat16, ties to even; NaN stays NaN. Subnormal floats become zero, as the
// instructions that multiply bfloat16 take them.
DRYDOCK_INLINE uint16_t to_bf16(float x) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, x);
    const uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > 0x7f800000U) return static_cast<uint16_t>(bits >> 16 | 0x40U);
    if (magnitude < 0x00800000U) return static_cast<uint16_t>(bits >> 16 & 0x8000U);
    return static_cast<uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

DRYDOCK_INLINE float from_bf16(uint16_t x) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(x) << 16);
}

}  // namespace drydock
