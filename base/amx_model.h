// The model page of base/amx.h, which says what each function does: Intel's description of the
// instructions, but for sums below 2^-126, which are not made zero.
#pragma once

#include <stdint.h>

#include "base/bf16.h"
#include "base/compiler.h"

namespace drydock::amx {
namespace {

struct Tile {
    alignas(64) unsigned char bytes[16][64];
};
thread_local Tile tiles[8];
thread_local bool configured = false;

DRYDOCK_INLINE void must_be_configured() {
    if (!configured) __builtin_trap();
}

DRYDOCK_INLINE void configure() {
    configured = true;
    for (Tile& tile : tiles) tile = {};
}
DRYDOCK_INLINE void release() { configured = false; }

template <int T>
DRYDOCK_INLINE void zero() {
    must_be_configured();
    tiles[T] = {};
}
template <int T>
DRYDOCK_INLINE void load(const void* p, int64_t stride) {
    must_be_configured();
    for (int64_t r = 0; r < 16; ++r) {
        __builtin_memcpy(tiles[T].bytes[r], static_cast<const char*>(p) + r * stride, 64);
    }
}
template <int T>
DRYDOCK_INLINE void store(void* p, int64_t stride) {
    must_be_configured();
    for (int64_t r = 0; r < 16; ++r) {
        __builtin_memcpy(static_cast<char*>(p) + r * stride, tiles[T].bytes[r], 64);
    }
}

// Element i of a tile's row.
template <class E>
DRYDOCK_INLINE E element(const Tile& tile, int row, int i) {
    E value;
    __builtin_memcpy(&value, tile.bytes[row] + sizeof(E) * static_cast<unsigned>(i), sizeof(E));
    return value;
}

template <int C, int A, int B>
DRYDOCK_INLINE void multiply_add() {
    must_be_configured();
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 16; ++n) {
            float sums[2] = {0, 0};
            for (int k = 0; k < 32; ++k) {
                const float a = from_bf16(element<uint16_t>(tiles[A], m, k));
                const float b = from_bf16(element<uint16_t>(tiles[B], k / 2, 2 * n + k % 2));
                sums[k % 2] += a * b;
            }
            const float sum = element<float>(tiles[C], m, n) + (sums[0] + sums[1]);
            __builtin_memcpy(tiles[C].bytes[m] + sizeof(float) * static_cast<unsigned>(n), &sum,
                             sizeof(float));
        }
    }
}

}  // namespace
}  // namespace drydock::amx
