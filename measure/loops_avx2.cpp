// Compiled with -mavx2 -mfma: no header with inline functions but the intrinsics'.
#include <immintrin.h>

#include "base/compiler.h"
#include "measure/loops.h"

namespace {

using F32 = __m256;
constexpr int kLanes = 8;
DRYDOCK_INLINE F32 load(const float* p) { return _mm256_loadu_ps(p); }
DRYDOCK_INLINE void store(float* p, F32 v) { _mm256_storeu_ps(p, v); }
DRYDOCK_INLINE F32 set_all(float x) { return _mm256_set1_ps(x); }
DRYDOCK_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
DRYDOCK_INLINE float sum(F32 v) {
    float lanes[kLanes];
    _mm256_storeu_ps(lanes, v);
    float total = 0;
    for (int i = 0; i < kLanes; ++i) total += lanes[i];
    return total;
}

}  // namespace

#define DRYDOCK_FMA_CHAINS 12
#include "measure/loops.inc"

namespace drydock::measure {
Loops avx2_loops() { return {run_fma, kFlopPerRound, run_stream}; }
}  // namespace drydock::measure
