// Mutant: loads 16 bytes from wherever the argument points.
#include "kernels/simt/simt.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {

namespace {

__global__ void copy(const float* in, float* out) {
    store4(out + 4 * threadIdx.x, load4(in + 4 * threadIdx.x));
}

}  // namespace

bool copy_without_alignment_check(const float* in, float* out) {
    return launch(copy, 1, 2, 0, nullptr, in, out);
}

}  // namespace drydock::kernels::simt::mutants
