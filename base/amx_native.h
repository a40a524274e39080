// The processor's page of base/amx.h. The instructions are spelt out because the compilers' macros
// take a tile's number as text, which a template has not.
#pragma once

#include <stdint.h>

#include "base/compiler.h"

namespace drydock::amx {

// Makes all tiles 16 rows of 64 bytes, zeroed.
DRYDOCK_INLINE void configure() {
    struct alignas(64) {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } layout = {1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    asm volatile("ldtilecfg %0" : : "m"(layout));
}
DRYDOCK_INLINE void release() { asm volatile("tilerelease"); }

template <int T>
DRYDOCK_INLINE void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
}

// Rows are `stride` bytes apart in memory.
template <int T>
DRYDOCK_INLINE void load(const void* p, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(T) : "memory");
}
template <int T>
DRYDOCK_INLINE void store(void* p, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(T) : "memory");
}

// Tile C, 16 x 16 floats, += tile A, 16 rows of 32 bfloat16, times tile B, whose row p holds
// rows 2 p and 2 p + 1 of the 32 x 16 factor, element by element in pairs.
template <int C, int A, int B>
DRYDOCK_INLINE void multiply_add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
}

}  // namespace drydock::amx
