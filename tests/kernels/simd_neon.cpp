#define PAGE neon_page
#include "tests/kernels/simd_page.inc"
#define MAP neon_map
#include "tests/kernels/simd_map.inc"
