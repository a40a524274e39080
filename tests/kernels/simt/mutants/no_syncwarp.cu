// Mutant: a warp adds up in shared memory as if its lanes ran in step.
#include "kernels/simt/simt.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {

namespace {

__global__ void sum(const float* in, float* out) {
    SIMT_SHARED(float, values, [32]);
    const unsigned lane = threadIdx.x;
    values[lane] = in[lane];
    __syncwarp();
    for (unsigned step = 16; step > 0; step /= 2) {
        if (lane < step) values[lane] += values[lane + step];
    }
    if (lane == 0) *out = values[0];
}

}  // namespace

bool sum_without_syncwarp(const float* in, float* out) {
    return launch(sum, 1, 32, 0, nullptr, in, out);
}

}  // namespace drydock::kernels::simt::mutants
