// The functions of base/simd.h behind a plain interface, one program text per page.
#pragma once

#include <cstdint>

namespace drydock::kernels::testing {

// Results of every function on the vectors a, b, c and the first n lanes, kLanes floats each, in
// this order: add sub mul div sqrt fma max select(a > b, b, c) load_first zero broadcast sum(in all
// lanes); then the transpose of the kLanes rows at a; then, not on the scalar page, which has no
// say in its rounding, multiply_add.
constexpr int page_results(int lanes) { return 12 + lanes + 1; }

struct PageInput {
    const float *a, *b, *c;  // kLanes rows of kLanes at a, kLanes elements at b and c
    std::int64_t n;
};

void scalar4_page(const PageInput& in, float* out, float* first_n);
void scalar8_page(const PageInput& in, float* out, float* first_n);
void scalar16_page(const PageInput& in, float* out, float* first_n);
void portable_page(const PageInput& in, float* out, float* first_n);
void avx2_page(const PageInput& in, float* out, float* first_n);
void avx512_page(const PageInput& in, float* out, float* first_n);
void neon_page(const PageInput& in, float* out, float* first_n);

// The functions that make a vector of one or two, masks shown as 1 and 0, integers as the bits of
// floats; shifts are by 7.
enum class VectorFunction {
    min,
    absolute,
    negate,
    greater_equal,
    equal,
    both,   // a > 0 and b > 0
    first,  // lanes, three of them
    add_int,
    sub_int,
    bit_and,
    bit_xor,
    shift_left,
    shift_right,
    shift_right_signed,
    to_float,
    product_high,
    product_low,
    lane_numbers,  // plus 3
    largest,       // in all lanes
    exp,
    log,
    log1p_of_fraction,
    tanh,
    normal_below,
    normal_density,
    interleave,  // of four vectors after another
};

// out = f(a, b) for n elements, a multiple of four vectors. Returns the lanes of a vector.
std::int64_t scalar_map(VectorFunction f, const float* a, const float* b, float* out,
                        std::int64_t n);
std::int64_t portable_map(VectorFunction f, const float* a, const float* b, float* out,
                          std::int64_t n);
std::int64_t neon_map(VectorFunction f, const float* a, const float* b, float* out, std::int64_t n);
std::int64_t avx2_map(VectorFunction f, const float* a, const float* b, float* out, std::int64_t n);
std::int64_t avx512_map(VectorFunction f, const float* a, const float* b, float* out,
                        std::int64_t n);

}  // namespace drydock::kernels::testing
