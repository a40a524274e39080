#define DRYDOCK_SIMD_SCALAR_LANES 4
#define PAGE scalar4_page
#include "tests/kernels/simd_page.inc"
