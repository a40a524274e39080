// Mutant: threads use the tile before the others have filled it.
#include "kernels/simt/simt.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {

namespace {

__global__ void multiply(const float* a, const float* b, float* c) {
    SIMT_SHARED(float, a_tile, [kTile][kTile]);
    SIMT_SHARED(float, b_tile, [kTile][kTile]);
    const unsigned n = kTile * gridDim.x, x = threadIdx.x, y = threadIdx.y;
    const unsigned row = blockIdx.y * kTile + y, column = blockIdx.x * kTile + x;
    float sum = 0.0f;
    for (unsigned first = 0; first < n; first += kTile) {
        a_tile[y][x] = a[row * n + first + x];
        b_tile[y][x] = b[(first + y) * n + column];
        for (int k = 0; k < kTile; ++k) sum += a_tile[y][k] * b_tile[k][x];
        __syncthreads();
    }
    c[row * n + column] = sum;
}

}  // namespace

bool multiply_without_barrier_after_load(const float* a, const float* b, float* c) {
    return launch(multiply, dim3(2, 2), dim3(kTile, kTile), 0, nullptr, a, b, c);
}

}  // namespace drydock::kernels::simt::mutants
