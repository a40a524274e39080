// What a kernel file includes: CUDA's language, whether nvcc compiles the file for a GPU or g++
// compiles it for the emulator. Beside CUDA's own names it gives
//
//   SIMT_SHARED(float, tile, [32][33]);    an array in the block's shared memory
//   SIMT_DYN_SHARED(float, scratch);       float* to the launch's dynamic shared memory
//   SIMT_UNROLL                            before a loop: unroll it entirely
//   simt::launch(kernel, grid, block, shared_bytes, stream, args...)
//                                          false if the device refuses the launch
//   simt::load4(p), simt::store4(p, v)     16 bytes at once; p is 16-byte aligned
//
// Kernel files use these in place of `__shared__`, `<<<>>>` and casts to float4*, and have neither
// inline assembly nor #ifdef.
#pragma once

#ifdef __CUDACC__

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#define SIMT_SHARED(type, name, extent) __shared__ type name extent
#define SIMT_DYN_SHARED(type, name)                               \
    extern __shared__ __align__(16) unsigned char name##_bytes[]; \
    type* const name = reinterpret_cast<type*>(name##_bytes)
#define SIMT_UNROLL _Pragma("unroll")

namespace drydock::kernels::simt {

template <class... Parameters, class... Arguments>
bool launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...) ==
           cudaSuccess;
}

__device__ __forceinline__ float4 load4(const float* p) {
    return *reinterpret_cast<const float4*>(p);
}
__device__ __forceinline__ void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }

}  // namespace drydock::kernels::simt

#else

#include "kernels/simt/emulated.h"

#endif
