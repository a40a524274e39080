// Counter-based random numbers: every draw is a pure function of (seed, stream, step, element), so
// that any thread or device makes any part of it, and fusing or reordering a program changes none.
//
// The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). What a draw is:
//   stream  = 64-bit FNV-1a hash of the stream's name
//   key     = finalise(stream ^ finalise(seed + 0x9e3779b97f4a7c15)), low word first, with the
//             finaliser of splitmix64: near seeds and near names give unrelated keys
//   counter = (block low, block high, step low, step high)
// Which block and which of its words make element i is said at each function. Integers and uniforms
// agree bit for bit everywhere; normals agree up to the rounding of log, sin and cos.
#pragma once

#include <cstdint>

#include "base/compiler.h"

namespace drydock {

struct PhiloxKey {
    std::uint32_t word[2];
};
struct PhiloxBlock {
    std::uint32_t word[4];
};

// Ten rounds on one counter.
DRYDOCK_INLINE constexpr PhiloxBlock philox4x32(PhiloxBlock counter, PhiloxKey key) {
    PhiloxBlock c = counter;
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53u} * c.word[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c.word[2];
        c = {{static_cast<std::uint32_t>(b >> 32) ^ c.word[1] ^ key.word[0],
              static_cast<std::uint32_t>(b),
              static_cast<std::uint32_t>(a >> 32) ^ c.word[3] ^ key.word[1],
              static_cast<std::uint32_t>(a)}};
        key = {{key.word[0] + 0x9E3779B9u, key.word[1] + 0xBB67AE85u}};
    }
    return c;
}

// The stream called `name`.
DRYDOCK_INLINE constexpr std::uint64_t stream_id(const char* name) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (; *name != '\0'; ++name) {
        hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3u;
    }
    return hash;
}

// The finaliser of splitmix64 (Steele, Lea and Flood 2014): a bijection in which every input bit
// changes every output bit with a probability near one half.
DRYDOCK_INLINE constexpr std::uint64_t finalise64(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

DRYDOCK_INLINE constexpr PhiloxKey stream_key(std::uint64_t seed, std::uint64_t stream) {
    const std::uint64_t k = finalise64(stream ^ finalise64(seed + 0x9e3779b97f4a7c15u));
    return {{static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(k >> 32)}};
}

// Four words: block `block` of the stream at `step`.
DRYDOCK_INLINE constexpr PhiloxBlock random_block(std::uint64_t seed, std::uint64_t stream,
                                                  std::uint64_t step, std::uint64_t block) {
    return philox4x32({{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                        static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)}},
                      stream_key(seed, stream));
}

// The conversions from words to draws, for callers that use a whole block at a time.

// Uniform in [0, 1), a multiple of 2^-24.
DRYDOCK_INLINE constexpr float uniform_f32_of(std::uint32_t word) {
    return static_cast<float>(word >> 8) * 0x1p-24f;
}

// Words 2 half and 2 half + 1 of a block as one number, the first being the low one.
DRYDOCK_INLINE constexpr std::uint64_t word64_of(PhiloxBlock b, unsigned half) {
    return std::uint64_t{b.word[2 * half]} | std::uint64_t{b.word[2 * half + 1]} << 32;
}

// Uniform in [0, 1), a multiple of 2^-53.
DRYDOCK_INLINE constexpr double uniform_f64_of(std::uint64_t word) {
    return static_cast<double>(word >> 11) * 0x1p-53;
}

// The high 64 bits of a * b, in 32-bit steps because not every compiler has 128-bit integers.
DRYDOCK_INLINE constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t a0 = a & 0xffffffffu, a1 = a >> 32;
    const std::uint64_t b0 = b & 0xffffffffu, b1 = b >> 32;
    const std::uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    const std::uint64_t low_middle = (middle & 0xffffffffu) + a0 * b1;
    return a1 * b1 + (middle >> 32) + (low_middle >> 32);
}

// Element i of a stream of uniforms in [0, 1): word i % 4 of block i / 4.
DRYDOCK_INLINE constexpr float uniform_f32(std::uint64_t seed, std::uint64_t stream,
                                           std::uint64_t step, std::uint64_t i) {
    return uniform_f32_of(random_block(seed, stream, step, i / 4).word[i % 4]);
}

// Element i of a stream of uniforms in [0, 1): half i % 2 of block i / 2.
DRYDOCK_INLINE constexpr double uniform_f64(std::uint64_t seed, std::uint64_t stream,
                                            std::uint64_t step, std::uint64_t i) {
    const PhiloxBlock b = random_block(seed, stream, step, i / 2);
    return uniform_f64_of(word64_of(b, static_cast<unsigned>(i % 2)));
}

// Element i of a stream of integers in [0, bound): the product of half i % 2 of block i / 2 with
// `bound`, shifted right by 64 (Lemire, "Fast random integer generation in an interval", 2019).
// Nothing is rejected, so that a draw costs the same everywhere: a value's probability is wrong by
// less than bound / 2^64 of itself, which is below 2^-40 for up to 2^24 rows. `bound` 0 gives 0.
DRYDOCK_INLINE constexpr std::uint64_t random_index(std::uint64_t seed, std::uint64_t stream,
                                                    std::uint64_t step, std::uint64_t i,
                                                    std::uint64_t bound) {
    const PhiloxBlock b = random_block(seed, stream, step, i / 2);
    return multiply_high(word64_of(b, static_cast<unsigned>(i % 2)), bound);
}

// Standard normals by Box and Muller (1958): from two uniforms of block i / 2, one pair of draws,
// of which an even i takes the cosine and the next the sine. The first uniform is moved to (0, 1],
// so that its logarithm is finite. Builtins, because <cmath> has inline functions of its own.

#if defined(__CUDACC__)
#define DRYDOCK_LIBM(name) ::name
#else
#define DRYDOCK_LIBM(name) __builtin_##name
#endif

// Element i of a stream of standard normals, from words 0 and 1 of block i / 2. |x| < 5.8.
DRYDOCK_INLINE float normal_f32(std::uint64_t seed, std::uint64_t stream, std::uint64_t step,
                                std::uint64_t i) {
    const PhiloxBlock b = random_block(seed, stream, step, i / 2);
    const float u = uniform_f32_of(b.word[0]) + 0x1p-24f;
    const float angle = 6.2831853f * uniform_f32_of(b.word[1]);
    const float radius = DRYDOCK_LIBM(sqrtf)(-2.0f * DRYDOCK_LIBM(logf)(u));
    return radius * (i % 2 == 0 ? DRYDOCK_LIBM(cosf)(angle) : DRYDOCK_LIBM(sinf)(angle));
}

// Element i of a stream of standard normals, from both halves of block i / 2. |x| < 8.6.
DRYDOCK_INLINE double normal_f64(std::uint64_t seed, std::uint64_t stream, std::uint64_t step,
                                 std::uint64_t i) {
    const PhiloxBlock b = random_block(seed, stream, step, i / 2);
    const double u = uniform_f64_of(word64_of(b, 0)) + 0x1p-53;
    const double angle = 6.283185307179586477 * uniform_f64_of(word64_of(b, 1));
    const double radius = DRYDOCK_LIBM(sqrt)(-2.0 * DRYDOCK_LIBM(log)(u));
    return radius * (i % 2 == 0 ? DRYDOCK_LIBM(cos)(angle) : DRYDOCK_LIBM(sin)(angle));
}

#undef DRYDOCK_LIBM

}  // namespace drydock
