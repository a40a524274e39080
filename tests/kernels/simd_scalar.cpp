#define PAGE scalar_page
#include "tests/kernels/simd_page.inc"
