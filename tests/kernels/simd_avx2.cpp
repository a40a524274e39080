#define PAGE avx2_page
#include "tests/kernels/simd_page.inc"
