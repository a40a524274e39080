// Mutant: the last block works on elements that do not exist.
#include "kernels/simt/simt.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {

namespace {

__global__ void scale(const float* in, float* out) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = 2.0f * in[i];
}

}  // namespace

bool scale_without_tail_guard(const float* in, float* out, int n) {
    return launch(scale, static_cast<unsigned>((n + 7) / 8), 8, 0, nullptr, in, out);
}

}  // namespace drydock::kernels::simt::mutants
