// A linear layer, forward and its two gradients, in fp32.
//
// All three are one tiled product c[row][column] = sum_k a(row, k) b(column, k) that differs in how
// the operands lie in memory and in what happens to a finished element:
//
//   forward          rows N, columns O, k over I    bias and activation
//   input gradient   rows N, columns I, k over O    derivative of the layer below
//   weight gradient  rows O, columns I, k over N    and the bias gradient: the row sums of a
//
// A block of 64 threads computes one tile of 32 x 32, each thread 4 x 4 of it in registers. Per
// step of 32 along k the block copies a tile of each operand to shared memory, zero outside of the
// matrix, so that only the copy and the last store look at bounds. Every element is summed in
// ascending k by one thread: the result depends on the sizes alone. Tiles are small because the
// matrices are (256 x 256 gives 64 blocks).
#include "kernels/cuda/launchers.h"
#include "kernels/simt/simt.h"

namespace drydock::kernels::cuda {

namespace {

constexpr int kTile = 32;
constexpr int kPerThread = 4;                        // rows and columns
constexpr int kThreadsPerSide = kTile / kPerThread;  // 8
constexpr int kThreads = kThreadsPerSide * kThreadsPerSide;
constexpr int kPitch = kTile + 4;  // keeps rows 16-byte aligned and spreads them over the banks

using Tile = float[kTile][kPitch];  // [k][row or column]
using Sums = float[kPerThread][kPerThread];

// Element (i, k) is data[i * ld + k] if k is the fast index, else data[k * ld + i].
struct Matrix {
    const float* data;
    std::int64_t ld;
    int extent;  // number of rows of a, columns of b
    int depth;   // number of k
};

// tile[k][i] = m(first + i, first_k + k). Neighbouring threads read neighbouring addresses.
template <bool kDepthIsFast>
__device__ __forceinline__ void load_tile(Tile& tile, const Matrix& m, int first, int first_k) {
    const int fast = static_cast<int>(threadIdx.x) % kTile;
    SIMT_UNROLL
    for (int step = 0; step < kTile; step += kThreads / kTile) {
        const int slow = step + static_cast<int>(threadIdx.x) / kTile;
        const int i = kDepthIsFast ? slow : fast;
        const int k = kDepthIsFast ? fast : slow;
        const bool inside = first + i < m.extent && first_k + k < m.depth;
        const std::int64_t fast_index = kDepthIsFast ? first_k + k : first + i;
        const std::int64_t slow_index = kDepthIsFast ? first + i : first_k + k;
        tile[k][i] = inside ? m.data[slow_index * m.ld + fast_index] : 0.0f;
    }
}

__device__ __forceinline__ void multiply_tiles(const Tile& a, const Tile& b, Sums& sums) {
    const int row = kPerThread * (static_cast<int>(threadIdx.x) / kThreadsPerSide);
    const int column = kPerThread * (static_cast<int>(threadIdx.x) % kThreadsPerSide);
    SIMT_UNROLL
    for (int k = 0; k < kTile; ++k) {
        const float4 av = simt::load4(&a[k][row]);
        const float4 bv = simt::load4(&b[k][column]);
        const float as[kPerThread] = {av.x, av.y, av.z, av.w};
        const float bs[kPerThread] = {bv.x, bv.y, bv.z, bv.w};
        SIMT_UNROLL
        for (int i = 0; i < kPerThread; ++i) {
            SIMT_UNROLL
            for (int j = 0; j < kPerThread; ++j) sums[i][j] += as[i] * bs[j];
        }
    }
}

// Calls finish(row, column, sum) for the elements of this thread that lie in the matrix.
template <class Finish>
__device__ __forceinline__ void finish_tile(const Sums& sums, int rows, int columns,
                                            const Finish& finish) {
    const int row = static_cast<int>(blockIdx.x) * kTile +
                    kPerThread * (static_cast<int>(threadIdx.x) / kThreadsPerSide);
    const int column = static_cast<int>(blockIdx.y) * kTile +
                       kPerThread * (static_cast<int>(threadIdx.x) % kThreadsPerSide);
    SIMT_UNROLL
    for (int i = 0; i < kPerThread; ++i) {
        SIMT_UNROLL
        for (int j = 0; j < kPerThread; ++j) {
            if (row + i < rows && column + j < columns) finish(row + i, column + j, sums[i][j]);
        }
    }
}

__device__ __forceinline__ float normal_below(float x) {
    return 0.5f + 0.5f * erff(0.707106781f * x);
}

__device__ __forceinline__ float gelu_derivative(float x) {
    return normal_below(x) + x * 0.398942280f * expf(-0.5f * x * x);
}

__device__ __forceinline__ float activate(Activation activation, float x) {
    if (activation == Activation::relu) return x < 0.0f ? 0.0f : x;  // NaN stays NaN
    if (activation == Activation::tanh) return tanhf(x);
    if (activation == Activation::gelu) return x * normal_below(x);
    return x;
}

__device__ __forceinline__ float derivative(Activation activation, float y) {
    if (activation == Activation::relu) return y > 0.0f ? 1.0f : 0.0f;
    if (activation == Activation::tanh) return 1.0f - y * y;
    if (activation == Activation::gelu) return y;
    return 1.0f;
}

__global__ void __launch_bounds__(kThreads)
    forward_kernel(Matrix x, Matrix w, const float* bias, Activation activation, float* y,
                   std::int64_t ldy, float* slope) {
    SIMT_SHARED(float, x_tile, [kTile][kPitch]);
    SIMT_SHARED(float, w_tile, [kTile][kPitch]);
    Sums sums = {};
    for (int k = 0; k < x.depth; k += kTile) {  // over I
        load_tile<true>(x_tile, x, static_cast<int>(blockIdx.x) * kTile, k);
        load_tile<true>(w_tile, w, static_cast<int>(blockIdx.y) * kTile, k);
        __syncthreads();
        multiply_tiles(x_tile, w_tile, sums);
        __syncthreads();
    }
    finish_tile(sums, x.extent, w.extent, [&](int n, int o, float sum) {
        const float before = bias ? sum + bias[o] : sum;
        y[n * ldy + o] = activate(activation, before);
        if (slope) slope[n * static_cast<std::int64_t>(w.extent) + o] = gelu_derivative(before);
    });
}

__global__ void __launch_bounds__(kThreads)
    input_gradient_kernel(Matrix dy, Matrix w, Activation below, const float* y_below, float* dx,
                          std::int64_t lddx) {
    SIMT_SHARED(float, dy_tile, [kTile][kPitch]);
    SIMT_SHARED(float, w_tile, [kTile][kPitch]);
    Sums sums = {};
    for (int k = 0; k < dy.depth; k += kTile) {  // over O
        load_tile<true>(dy_tile, dy, static_cast<int>(blockIdx.x) * kTile, k);
        load_tile<false>(w_tile, w, static_cast<int>(blockIdx.y) * kTile, k);
        __syncthreads();
        multiply_tiles(dy_tile, w_tile, sums);
        __syncthreads();
    }
    const std::int64_t width = w.extent;  // I
    finish_tile(sums, dy.extent, w.extent, [&](int n, int i, float sum) {
        const float slope = y_below ? derivative(below, y_below[n * width + i]) : 1.0f;
        dx[n * lddx + i] = sum * slope;
    });
}

__global__ void __launch_bounds__(kThreads)
    weight_gradient_kernel(Matrix dy, Matrix x, float* dw, float* db) {
    SIMT_SHARED(float, dy_tile, [kTile][kPitch]);
    SIMT_SHARED(float, x_tile, [kTile][kPitch]);
    Sums sums = {};
    // The blocks of the first column of tiles have all of dy in their hands: they sum the bias.
    const int t = static_cast<int>(threadIdx.x);
    const int bias_row = static_cast<int>(blockIdx.x) * kTile + t;
    const bool sums_bias = db && blockIdx.y == 0 && t < kTile && bias_row < dy.extent;
    float bias_sum = 0.0f;
    for (int k = 0; k < dy.depth; k += kTile) {  // over N
        load_tile<false>(dy_tile, dy, static_cast<int>(blockIdx.x) * kTile, k);
        load_tile<false>(x_tile, x, static_cast<int>(blockIdx.y) * kTile, k);
        __syncthreads();
        multiply_tiles(dy_tile, x_tile, sums);
        if (sums_bias) {
            for (int row = 0; row < kTile; ++row) bias_sum += dy_tile[row][t];
        }
        __syncthreads();
    }
    if (sums_bias) db[bias_row] = bias_sum;
    finish_tile(sums, dy.extent, x.extent, [&](int o, int i, float sum) {
        dw[static_cast<std::int64_t>(o) * x.extent + i] = sum;
    });
}

constexpr std::int64_t kMaxExtent = 0x7fffffff - kTile;  // indices are int, rounded up to a tile
constexpr std::int64_t kMaxColumns = 65535LL * kTile;    // the grid's second dimension

Status check_sizes(DType dtype, std::int64_t N, std::int64_t I, std::int64_t O) {
    if (N < 0 || I < 0 || O < 0) return Status::bad_argument;
    if (dtype != DType::f32) return Status::unsupported;
    const bool fits = N <= kMaxExtent && I <= kMaxColumns && O <= kMaxColumns;
    return fits ? Status::ok : Status::unsupported;
}

Matrix matrix(const void* data, std::int64_t ld, std::int64_t extent, std::int64_t depth) {
    return {static_cast<const float*>(data), ld, static_cast<int>(extent), static_cast<int>(depth)};
}

dim3 tiles(std::int64_t rows, std::int64_t columns) {
    return dim3(static_cast<unsigned>((rows + kTile - 1) / kTile),
                static_cast<unsigned>((columns + kTile - 1) / kTile));
}

Status status_of(bool launched) { return launched ? Status::ok : Status::failed; }

}  // namespace

Status linear_forward(const LinearForward& a, cudaStream_t stream) {
    if (a.ldx < a.I || a.ldy < a.O) return Status::bad_argument;
    if (a.precision != Precision::full || a.residual != nullptr) return Status::unsupported;
    if (const Status s = check_sizes(a.dtype, a.N, a.I, a.O); s != Status::ok) return s;
    if (a.N == 0 || a.O == 0) return Status::ok;
    return status_of(simt::launch(
        forward_kernel, tiles(a.N, a.O), dim3(kThreads), 0, stream, matrix(a.x, a.ldx, a.N, a.I),
        matrix(a.w, a.I, a.O, a.I), static_cast<const float*>(a.bias), a.activation,
        static_cast<float*>(a.y), a.ldy,
        a.activation == Activation::gelu ? static_cast<float*>(a.slope) : nullptr));
}

Status linear_input_gradient(const LinearInputGradient& a, cudaStream_t stream) {
    if (a.lddy < a.O || a.lddx < a.I) return Status::bad_argument;
    if (a.precision != Precision::full) return Status::unsupported;
    if (a.activation_below != Activation::none && !a.y_below) return Status::bad_argument;
    if (const Status s = check_sizes(a.dtype, a.N, a.I, a.O); s != Status::ok) return s;
    if (a.N == 0 || a.I == 0) return Status::ok;
    const bool masked = a.activation_below != Activation::none;
    return status_of(simt::launch(input_gradient_kernel, tiles(a.N, a.I), dim3(kThreads), 0, stream,
                                  matrix(a.dy, a.lddy, a.N, a.O), matrix(a.w, a.I, a.I, a.O),
                                  a.activation_below,
                                  masked ? static_cast<const float*>(a.y_below) : nullptr,
                                  static_cast<float*>(a.dx), a.lddx));
}

Status linear_weight_gradient(const LinearWeightGradient& a, cudaStream_t stream) {
    if (a.lddy < a.O || a.ldx < a.I) return Status::bad_argument;
    if (a.precision != Precision::full) return Status::unsupported;
    if (const Status s = check_sizes(a.dtype, a.N, a.I, a.O); s != Status::ok) return s;
    if (a.O == 0) return Status::ok;
    // I == 0 leaves the bias gradient to compute: one column of tiles, all of it outside of dw.
    const dim3 grid = tiles(a.O, a.I > 0 ? a.I : 1);
    return status_of(simt::launch(weight_gradient_kernel, grid, dim3(kThreads), 0, stream,
                                  matrix(a.dy, a.lddy, a.O, a.N), matrix(a.x, a.ldx, a.I, a.N),
                                  static_cast<float*>(a.dw), static_cast<float*>(a.db)));
}

}  // namespace drydock::kernels::cuda
