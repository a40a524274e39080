#include "tests/kernels/simt/emulator_kernels.h"

#include "kernels/simt/simt.h"

namespace drydock::kernels::simt {

namespace {

constexpr unsigned kAllLanes = 0xffffffffu;

__device__ int lane_id() { return static_cast<int>(threadIdx.x % 32); }

__global__ void shuffles(ShuffleResults* out) {
    const int i = lane_id(), value = 100 + i;
    out->index[i] = __shfl_sync(kAllLanes, value, 3 * i);
    out->up[i] = __shfl_up_sync(kAllLanes, value, 3);
    out->down[i] = __shfl_down_sync(kAllLanes, value, 5);
    out->butterfly[i] = __shfl_xor_sync(kAllLanes, value, 6);
    out->halves[i] = __shfl_down_sync(kAllLanes, value, 1, 16);
    out->wide[i] = __shfl_sync(kAllLanes, 0.5 * value, 31 - i);
}

__device__ int sum_of_half(unsigned mask, int value) {
    for (int step = 8; step > 0; step /= 2) value += __shfl_xor_sync(mask, value, step);
    return value;
}

__global__ void half_warps(int* out) {
    const int i = lane_id();
    if (i < 16) {
        out[i] = sum_of_half(0x0000ffffu, i);
    } else {
        out[i] = sum_of_half(0xffff0000u, i);
    }
}

__global__ void votes(Votes* out) {
    const int i = lane_id();
    const unsigned ballot = __ballot_sync(kAllLanes, i % 2);
    const int any_odd = __any_sync(kAllLanes, i % 2), all_odd = __all_sync(kAllLanes, i % 2);
    const int any_large = __any_sync(kAllLanes, i > 31), all_small = __all_sync(kAllLanes, i < 32);
    if (i == 7) *out = {ballot, any_odd, all_odd, any_large, all_small};
}

__global__ void reverse(const float* in, float* out) {
    SIMT_DYN_SHARED(float, values);
    values[threadIdx.x] = in[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

__global__ void transposed_indices(float* out) {
    SIMT_SHARED(float, tile, [32][8]);
    SIMT_SHARED(float, other, [8]);  // a second array must not overlap the first
    tile[threadIdx.x][threadIdx.y] = static_cast<float>(threadIdx.x * 8 + threadIdx.y);
    if (threadIdx.x == 0) other[threadIdx.y] = 1000.0f;
    __syncthreads();
    const unsigned flat = threadIdx.y * 32 + threadIdx.x;
    out[flat] = tile[flat / 8][flat % 8] + other[threadIdx.y];
}

__global__ void order(int* out, int* counter) {
    out[blockIdx.x * blockDim.x + threadIdx.x] = (*counter)++;
}

__global__ void read_of_unwritten(float* out) {
    SIMT_SHARED(float, values, [4]);
    out[0] = values[2];
}

__global__ void empty() {}

__global__ void too_much_shared() {
    SIMT_SHARED(float, values, [12 * 1024 + 1]);
    values[0] = 0.0f;
}

__global__ void shuffle_in_two_branches(int* out) {
    const int i = lane_id();
    int value = i;
    if (i % 2 == 0) {
        value = __shfl_xor_sync(kAllLanes, value, 1);
    } else {
        value = __shfl_xor_sync(kAllLanes, value, 1);
    }
    out[i] = value;
}

__global__ void early_return(int* out) {
    if (threadIdx.x >= 20) return;
    __syncthreads();
    out[threadIdx.x] = 1;
}

__global__ void outside_own_mask(int* out) {
    out[threadIdx.x] = __shfl_sync(0x0000ffffu, lane_id(), 0);
}

__global__ void read_of_absent_lane(int* out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, lane_id(), 16);
}

__global__ void exchange_in_warp(int* out) {
    SIMT_SHARED(int, values, [32]);
    const int i = lane_id();
    values[i] = i;
    __syncwarp();
    out[i] = values[i ^ 1];
    __syncwarp();
    values[i] = -1;
}

}  // namespace

bool run_shuffles(ShuffleResults* out) { return launch(shuffles, 1, 32, 0, nullptr, out); }
bool run_half_warps(int* out) { return launch(half_warps, 1, 32, 0, nullptr, out); }
bool run_votes(Votes* out) { return launch(votes, 1, 32, 0, nullptr, out); }
bool run_reverse(const float* in, float* out, unsigned n) {
    return launch(reverse, 1, n, n * sizeof(float), nullptr, in, out);
}
bool run_transposed_indices(float* out) {
    return launch(transposed_indices, 1, dim3(32, 8), 0, nullptr, out);
}
bool run_order(int* out, int* counter, unsigned blocks, unsigned threads) {
    return launch(order, blocks, threads, 0, nullptr, out, counter);
}
bool run_read_of_unwritten(float* out) { return launch(read_of_unwritten, 1, 1, 0, nullptr, out); }
bool run_empty(unsigned grid_x, unsigned grid_y, unsigned block_x, unsigned shared_bytes) {
    return launch(empty, dim3(grid_x, grid_y), block_x, shared_bytes, nullptr);
}
bool run_too_much_shared() { return launch(too_much_shared, 1, 1, 0, nullptr); }
bool run_shuffle_in_two_branches(int* out) {
    return launch(shuffle_in_two_branches, 1, 32, 0, nullptr, out);
}
bool run_early_return(int* out) { return launch(early_return, 1, 32, 0, nullptr, out); }
bool run_outside_own_mask(int* out) { return launch(outside_own_mask, 1, 32, 0, nullptr, out); }
bool run_read_of_absent_lane(int* out) {
    return launch(read_of_absent_lane, 1, 32, 0, nullptr, out);
}
bool run_exchange_in_warp(int* out) { return launch(exchange_in_warp, 1, 32, 0, nullptr, out); }

}  // namespace drydock::kernels::simt
