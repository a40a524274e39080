// Uniform draws: Philox on as many blocks side by side as a vector has lanes, with the bits of
// base/philox.h. Normals and indices are left to the portable kernel.
#include "kernels/api/random.h"

#include "base/philox.h"
#include "base/simd.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::I32;
using simd::kLanes;

constexpr int64_t kWords = 4;                      // of a block
constexpr int64_t kStride = kWords * kLanes;       // draws that are made together
constexpr int64_t kUnit = 8192;                    // draws of a unit, a multiple of kStride
constexpr int64_t kMostBlocks = int64_t{1} << 32;  // whose number is one word

struct Words {
    I32 at[kWords];
};

// Ten rounds on blocks `first` and following, as philox4x32.
DRYDOCK_INLINE Words random_words(uint32_t first, uint64_t step, PhiloxKey key) {
    const I32 block = simd::add(simd::broadcast_int(first), simd::lane_numbers());
    Words c = {{block, simd::broadcast_int(0), simd::broadcast_int(static_cast<uint32_t>(step)),
                simd::broadcast_int(static_cast<uint32_t>(step >> 32))}};
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
        const simd::Product a = simd::multiply_full(c.at[0], simd::broadcast_int(0xD2511F53u));
        const simd::Product b = simd::multiply_full(c.at[2], simd::broadcast_int(0xCD9E8D57u));
        const I32 key0 = simd::broadcast_int(key.word[0]), key1 = simd::broadcast_int(key.word[1]);
        c = {{simd::bit_xor(simd::bit_xor(b.high, c.at[1]), key0), b.low,
              simd::bit_xor(simd::bit_xor(a.high, c.at[3]), key1), a.low}};
        key = {{key.word[0] + 0x9E3779B9u, key.word[1] + 0xBB67AE85u}};
    }
    return c;
}

Status check(const RandomFill& r) {
    const bool covered = r.dtype == DType::f32 && r.distribution == Distribution::uniform &&
                         r.begin + r.n <= kWords * kMostBlocks;
    return covered ? portable::random_fill().check(r) : Status::unsupported;
}

int64_t units(const RandomFill& r) { return (r.n + kUnit - 1) / kUnit; }

void run(const RandomFill& r, int64_t first, int64_t last) {
    const PhiloxKey key = stream_key(r.counters->seed, r.stream);
    const auto step = static_cast<uint64_t>(r.counters->step);
    const F32 low = simd::broadcast(static_cast<float>(r.low));
    const F32 width = simd::broadcast(static_cast<float>(r.high - r.low));
    const int64_t end = last * kUnit < r.n ? last * kUnit : r.n;
    float* out = static_cast<float*>(r.out);
    for (int64_t i = first * kUnit; i < end; i += kStride) {
        const Words words = random_words(static_cast<uint32_t>((r.begin + i) / kWords), step, key);
        F32 draws[kWords];
        for (int k = 0; k < kWords; ++k) {
            const F32 whole = simd::to_float(simd::shift_right(words.at[k], 8));
            const F32 uniform = simd::mul(whole, simd::broadcast(0x1p-24f));
            draws[k] = simd::add(low, simd::mul(width, uniform));
        }
        simd::interleave(draws);
        for (int k = 0; k < kWords; ++k) {
            const int64_t at = i + k * kLanes;
            if (at < end)
                simd::store_first(out + at, draws[k], end - at < kLanes ? end - at : kLanes);
        }
    }
}

}  // namespace

CpuKernel<RandomFill> random_fill() { return {check, units, run}; }

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
