#define PAGE avx2_page
#include "tests/kernels/simd_page.inc"
#define MAP avx2_map
#include "tests/kernels/simd_map.inc"
