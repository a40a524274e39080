// Mutant: half of the block waits at one barrier, the other half at the next.
#include "kernels/simt/simt.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {

namespace {

__global__ void exchange(float* out) {
    SIMT_SHARED(float, values, [64]);
    values[threadIdx.x] = static_cast<float>(threadIdx.x);
    if (threadIdx.x < 32) {
        __syncthreads();
    }
    values[threadIdx.x] += 1.0f;
    __syncthreads();
    out[threadIdx.x] = 64.0f - values[63 - threadIdx.x];
}

}  // namespace

bool barrier_in_branch(float* out) { return launch(exchange, 1, 64, 0, nullptr, out); }

}  // namespace drydock::kernels::simt::mutants
