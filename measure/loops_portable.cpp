// With the flags of any processor of this architecture: where those have no fma, a product and a
// sum.
#include "base/compiler.h"
#include "measure/loops.h"

namespace {

using F32 __attribute__((vector_size(16))) = float;
constexpr int kLanes = 4;
DRYDOCK_INLINE F32 load(const float* p) { return F32{p[0], p[1], p[2], p[3]}; }
DRYDOCK_INLINE void store(float* p, F32 v) {
    for (int i = 0; i < kLanes; ++i) p[i] = v[i];
}
DRYDOCK_INLINE F32 set_all(float x) { return F32{x, x, x, x}; }
DRYDOCK_INLINE F32 multiply_add(F32 a, F32 b, F32 c) { return a * b + c; }
DRYDOCK_INLINE float sum(F32 v) { return (v[0] + v[1]) + (v[2] + v[3]); }

}  // namespace

#define DRYDOCK_FMA_CHAINS 12
#include "measure/loops.inc"

namespace drydock::measure {
Loops portable_loops() { return {run_fma, kFlopPerRound, run_stream}; }
}  // namespace drydock::measure
