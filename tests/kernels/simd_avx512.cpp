#define MAP avx512_map
#include "tests/kernels/simd_map.inc"
