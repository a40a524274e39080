// Mutant: a shared array is one element too short. The pointer hides its length from the compiler's
// own check of indices.
#include "kernels/simt/simt.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {

namespace {

__global__ void copy(const float* in, float* out) {
    SIMT_SHARED(float, array, [31]);
    float* const values = array;
    values[threadIdx.x] = in[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = values[threadIdx.x];
}

}  // namespace

bool copy_past_shared_array(const float* in, float* out) {
    return launch(copy, 1, 32, 0, nullptr, in, out);
}

}  // namespace drydock::kernels::simt::mutants
