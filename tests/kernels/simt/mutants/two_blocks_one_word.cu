// Mutant: nothing says which of two blocks writes last.
#include "kernels/simt/simt.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {

namespace {

__global__ void leave_number(float* out) {
    if (threadIdx.x == 0) *out = static_cast<float>(blockIdx.x);
}

}  // namespace

bool two_blocks_one_word(float* out) { return launch(leave_number, 2, 32, 0, nullptr, out); }

}  // namespace drydock::kernels::simt::mutants
