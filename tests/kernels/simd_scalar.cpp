#define PAGE scalar8_page
#include "tests/kernels/simd_page.inc"
#define MAP scalar_map
#include "tests/kernels/simd_map.inc"
