#define PAGE avx512_page
#include "tests/kernels/simd_page.inc"
#define MAP avx512_map
#include "tests/kernels/simd_map.inc"
