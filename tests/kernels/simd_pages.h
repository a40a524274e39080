// The functions of base/simd.h behind a plain interface, one program text per page.
#pragma once

#include <cstdint>

namespace drydock::kernels::testing {

// Results of every function on the vectors a, b, c and the first n lanes, kLanes floats each, in
// this order: add sub mul div sqrt fma max select(a > b, b, c) load_first zero broadcast sum(in all
// lanes); then the transpose of the eight rows at a.
constexpr int kPageResults = 12 + 8;

struct PageInput {
    const float *a, *b, *c;  // 8 rows of 8 at a, 8 elements at b and c
    std::int64_t n;
};

void scalar_page(const PageInput& in, float* out, float* first_n);
void avx2_page(const PageInput& in, float* out, float* first_n);

}  // namespace drydock::kernels::testing
