// What the headers of base need from a compiler.
#pragma once

// Functions of a header are always inlined: files compiled for one instruction set may then include
// it without leaving a weak copy that the linker could hand to other machines. nvcc compiles them
// for both sides.
#if defined(__CUDACC__)
#define DRYDOCK_INLINE __host__ __device__ __forceinline__
#else
#define DRYDOCK_INLINE inline __attribute__((always_inline))
#endif
