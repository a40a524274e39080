// Loops that nothing but the arithmetic units, or nothing but the memory, limits, for each
// instruction set. Each file of them is compiled with that set's flags.
#pragma once

#include <stdint.h>

namespace drydock::measure {

struct Loops {
    // `rounds` rounds of independent multiply-adds. The sum of what came out is returned so that
    // the compiler keeps the work.
    float (*fma)(int64_t rounds, float factor, float addend);
    int64_t flop_per_round;  // a multiply-add is two
    // a[i] += factor b[i]
    void (*stream)(int64_t n, float* a, const float* b, float factor);
};

Loops portable_loops();
Loops avx2_loops();
Loops avx512_loops();

}  // namespace drydock::measure
