#define PAGE portable_page
#include "tests/kernels/simd_page.inc"
#define MAP portable_map
#include "tests/kernels/simd_map.inc"
