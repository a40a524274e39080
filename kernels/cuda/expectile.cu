// Expectile regression: the loss and its gradient in one pass over u.
//
// One block of 256 threads, because a batch has some hundred elements and a second launch would
// cost more than the additions. Thread t adds elements t, t + 256, … in ascending order; the 256
// sums are then added by a tree of shuffles inside each warp and once more over the eight warps.
// The shape of that tree is fixed, so the loss depends on u alone.
#include "kernels/cuda/launchers.h"
#include "kernels/simt/simt.h"

namespace drydock::kernels::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// The sum over the warp, valid in lane 0.
__device__ __forceinline__ float sum_of_warp(float value) {
    SIMT_UNROLL
    for (unsigned delta = 16; delta > 0; delta /= 2) {
        value += __shfl_down_sync(kAllLanes, value, delta);
    }
    return value;
}

// The sum over the block, valid in thread 0. Every thread of the block has to call this.
__device__ __forceinline__ float sum_of_block(float value) {
    SIMT_SHARED(float, warp_sums, [kWarps]);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = sum_of_warp(value);
    if (lane == 0) warp_sums[warp] = value;
    __syncthreads();
    if (warp == 0) value = sum_of_warp(lane < kWarps ? warp_sums[lane] : 0.0f);
    return value;
}

// weight_above and weight_below: of u >= 0 and u < 0.
__global__ void __launch_bounds__(kThreads)
    expectile_kernel(std::int64_t N, float weight_above, float weight_below, float inverse_n,
                     const float* u, float* loss, float* du) {
    float sum = 0.0f;
    for (std::int64_t n = threadIdx.x; n < N; n += kThreads) {
        const float residual = u[n];
        const float weighted = (residual < 0.0f ? weight_below : weight_above) * residual;
        sum += weighted * residual;
        if (du) du[n] = 2.0f * inverse_n * weighted;
    }
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) *loss = sum * inverse_n;
}

}  // namespace

Status expectile_loss(const ExpectileLoss& a, cudaStream_t stream) {
    if (a.N < 1 || !(a.expectile > 0.0 && a.expectile < 1.0)) return Status::bad_argument;
    if (a.dtype != DType::f32) return Status::unsupported;
    const auto above = static_cast<float>(a.expectile);
    const auto below = static_cast<float>(1.0 - a.expectile);
    const auto inverse_n = static_cast<float>(1.0 / static_cast<double>(a.N));
    const bool launched = simt::launch(expectile_kernel, dim3(1), dim3(kThreads), 0, stream, a.N,
                                       above, below, inverse_n, static_cast<const float*>(a.u),
                                       static_cast<float*>(a.loss), static_cast<float*>(a.du));
    return launched ? Status::ok : Status::failed;
}

}  // namespace drydock::kernels::cuda
