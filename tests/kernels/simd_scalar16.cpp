#define DRYDOCK_SIMD_SCALAR_LANES 16
#define PAGE scalar16_page
#include "tests/kernels/simd_page.inc"
