// Adam and Polyak averaging over flat arrays: one launch for all parameters of a group.
//
// The step is bound by memory (four arrays read, three written; six and four with a target), so it
// moves 16 bytes at a time where the arrays allow it; what is left over, or everything if an array
// is not 16-byte aligned, goes one element at a time. The learning rate and the powers of beta are
// read from the hyper block in device memory, which lets a captured graph be replayed for ever.
// That block holds doubles: one thread per block turns them into the seven floats that the others
// use.
#include "kernels/cuda/launchers.h"
#include "kernels/simt/simt.h"

namespace drydock::kernels::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWidth = 4;
constexpr std::int64_t kMaxBlocks = 1024;  // enough to fill a GPU; threads take strides beyond

struct AdamArrays {
    const float* gradient;  // (n)
    float* parameters;      // (n)
    float* first_moment;    // (n)
    float* second_moment;   // (n)
    float* target;          // (n)
};

struct AdamFactors {
    float decay;          // 1 - rate weight_decay
    float first, second;  // 1 - beta1, 1 - beta2
    float beta2;
    float step_size, inv_sqrt_bias2, epsilon;
};

struct PolyakFactors {
    float keep, take;  // 1 - polyak, polyak
};

__device__ __forceinline__ AdamFactors factors_of(const OptimizerHyper& h) {
    AdamFactors f;
    f.decay = static_cast<float>(1.0 - h.rate * h.weight_decay);
    f.first = static_cast<float>(1.0 - h.beta1);
    f.second = static_cast<float>(1.0 - h.beta2);
    f.beta2 = static_cast<float>(h.beta2);
    f.step_size = static_cast<float>(h.step_size);
    f.inv_sqrt_bias2 = static_cast<float>(h.inv_sqrt_bias2);
    f.epsilon = static_cast<float>(h.epsilon);
    return f;
}

__device__ __forceinline__ void adam_element(const AdamFactors& f, float g, float& w, float& m,
                                             float& v) {
    w *= f.decay;
    m += (g - m) * f.first;
    v = f.beta2 * v + f.second * g * g;
    w -= f.step_size * m / (sqrtf(v) * f.inv_sqrt_bias2 + f.epsilon);
}

__device__ __forceinline__ float polyak_element(const PolyakFactors& f, float source,
                                                float target) {
    return f.keep * target + f.take * source;
}

__device__ __forceinline__ float4 polyak_element4(const PolyakFactors& f, float4 source,
                                                  float4 target) {
    return make_float4(polyak_element(f, source.x, target.x), polyak_element(f, source.y, target.y),
                       polyak_element(f, source.z, target.z),
                       polyak_element(f, source.w, target.w));
}

template <bool kWithTarget>
__device__ __forceinline__ void adam_four(const AdamFactors& f, const PolyakFactors& p,
                                          const AdamArrays& a, std::int64_t i) {
    const float4 g = simt::load4(a.gradient + i);
    float4 w = simt::load4(a.parameters + i);
    float4 m = simt::load4(a.first_moment + i);
    float4 v = simt::load4(a.second_moment + i);
    adam_element(f, g.x, w.x, m.x, v.x);
    adam_element(f, g.y, w.y, m.y, v.y);
    adam_element(f, g.z, w.z, m.z, v.z);
    adam_element(f, g.w, w.w, m.w, v.w);
    simt::store4(a.parameters + i, w);
    simt::store4(a.first_moment + i, m);
    simt::store4(a.second_moment + i, v);
    if (kWithTarget) {
        simt::store4(a.target + i, polyak_element4(p, w, simt::load4(a.target + i)));
    }
}

template <bool kWithTarget>
__device__ __forceinline__ void adam_one(const AdamFactors& f, const PolyakFactors& p,
                                         const AdamArrays& a, std::int64_t i) {
    float w = a.parameters[i], m = a.first_moment[i], v = a.second_moment[i];
    adam_element(f, a.gradient[i], w, m, v);
    a.parameters[i] = w;
    a.first_moment[i] = m;
    a.second_moment[i] = v;
    if (kWithTarget) a.target[i] = polyak_element(p, w, a.target[i]);
}

// Elements [0, n_wide) four at a time, the rest singly.
template <bool kWithTarget>
__global__ void __launch_bounds__(kThreads)
    adam_kernel(std::int64_t n, std::int64_t n_wide, const OptimizerHyper* hyper, PolyakFactors p,
                AdamArrays a) {
    SIMT_SHARED(AdamFactors, factors, [1]);
    if (threadIdx.x == 0) factors[0] = factors_of(*hyper);
    __syncthreads();
    const AdamFactors f = factors[0];
    const std::int64_t thread = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    const std::int64_t threads = std::int64_t{gridDim.x} * kThreads;
    for (std::int64_t i = thread * kWidth; i < n_wide; i += threads * kWidth) {
        adam_four<kWithTarget>(f, p, a, i);
    }
    for (std::int64_t i = n_wide + thread; i < n; i += threads) adam_one<kWithTarget>(f, p, a, i);
}

__global__ void __launch_bounds__(kThreads)
    polyak_kernel(std::int64_t n, std::int64_t n_wide, PolyakFactors p, const float* source,
                  float* target) {
    const std::int64_t thread = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    const std::int64_t threads = std::int64_t{gridDim.x} * kThreads;
    for (std::int64_t i = thread * kWidth; i < n_wide; i += threads * kWidth) {
        simt::store4(target + i,
                     polyak_element4(p, simt::load4(source + i), simt::load4(target + i)));
    }
    for (std::int64_t i = n_wide + thread; i < n; i += threads) {
        target[i] = polyak_element(p, source[i], target[i]);
    }
}

bool is_aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

std::int64_t wide_part(std::int64_t n, bool aligned) { return aligned ? n / kWidth * kWidth : 0; }

dim3 blocks_for(std::int64_t n, std::int64_t n_wide) {
    const std::int64_t work = n_wide > 0 ? n / kWidth + 1 : n;
    const std::int64_t blocks = (work + kThreads - 1) / kThreads;
    return dim3(static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks));
}

PolyakFactors factors_of(double polyak) {
    return {static_cast<float>(1.0 - polyak), static_cast<float>(polyak)};
}

}  // namespace

Status adam_step(const AdamStep& s, cudaStream_t stream) {
    if (s.n < 0 || !s.hyper) return Status::bad_argument;
    if (s.dtype != DType::f32) return Status::unsupported;
    if (s.n == 0) return Status::ok;
    const bool aligned = is_aligned(s.gradient) && is_aligned(s.parameters) &&
                         is_aligned(s.first_moment) && is_aligned(s.second_moment) &&
                         is_aligned(s.target);
    const std::int64_t n_wide = wide_part(s.n, aligned);
    const AdamArrays arrays{static_cast<const float*>(s.gradient),
                            static_cast<float*>(s.parameters), static_cast<float*>(s.first_moment),
                            static_cast<float*>(s.second_moment), static_cast<float*>(s.target)};
    auto* const kernel = s.target ? adam_kernel<true> : adam_kernel<false>;
    const bool launched = simt::launch(kernel, blocks_for(s.n, n_wide), dim3(kThreads), 0, stream,
                                       s.n, n_wide, s.hyper, factors_of(s.polyak), arrays);
    return launched ? Status::ok : Status::failed;
}

Status polyak(const Polyak& s, cudaStream_t stream) {
    if (s.n < 0) return Status::bad_argument;
    if (s.dtype != DType::f32) return Status::unsupported;
    if (s.n == 0) return Status::ok;
    const std::int64_t n_wide = wide_part(s.n, is_aligned(s.source) && is_aligned(s.target));
    const bool launched = simt::launch(
        polyak_kernel, blocks_for(s.n, n_wide), dim3(kThreads), 0, stream, s.n, n_wide,
        factors_of(s.polyak), static_cast<const float*>(s.source), static_cast<float*>(s.target));
    return launched ? Status::ok : Status::failed;
}

}  // namespace drydock::kernels::cuda
