// A vector of floats with one page per instruction set, so that a kernel is written once:
//
//   F32 x = load(p);  store(p, add(x, broadcast(1)));  // kLanes elements at a time
//   F32 x = load_first(p, n);                          // the tail: lanes from n on are 0
//
// The page is chosen by the macro that a file's target defines together with the compiler's flags
// (DRYDOCK_SIMD_AVX2 with -mavx2 -mfma, DRYDOCK_SIMD_AVX512 with -mavx512f and its companions,
// DRYDOCK_SIMD_NEON on 64-bit ARM, DRYDOCK_SIMD_PORTABLE anywhere); without one it is the scalar
// page, which gives the same bits lane by lane, but for multiply_add. A file that includes
// this header for an instruction set includes no header with inline functions of its own: they
// would be compiled with those flags, and the linker might keep that copy for the whole program.
// For the same reason everything here is always inlined, and a vector never crosses a call: how one
// is passed depends on the flags too.
#pragma once

#if defined(DRYDOCK_SIMD_AVX512)
#include "base/simd_avx512.h"
#elif defined(DRYDOCK_SIMD_AVX2)
#include "base/simd_avx2.h"
#elif defined(DRYDOCK_SIMD_NEON)
#include "base/simd_neon.h"
#elif defined(DRYDOCK_SIMD_PORTABLE)
#include "base/simd_portable.h"
#else
#include "base/simd_scalar.h"
#endif
