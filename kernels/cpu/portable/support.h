// What the portable kernels share: the split of an array into units, the choice of the element type
// and a sum that does not lose precision with its length.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/api/kernel.h"

namespace drydock::kernels::portable {

// Elements of one unit of a kernel that walks over flat arrays: enough to make starting a unit
// cheap, few enough to share among threads.
constexpr std::int64_t kBlock = 8192;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

constexpr Status valid(bool condition) { return condition ? Status::ok : Status::bad_argument; }

// Rows of `width` elements that make one unit.
constexpr std::int64_t rows_per_unit(std::int64_t width) {
    return std::max<std::int64_t>(1, kBlock / std::max<std::int64_t>(1, width));
}

// Elements [first, last) of unit `unit`, where n elements are cut into blocks.
struct Range {
    std::int64_t first, last;
};
constexpr Range block_range(std::int64_t unit, std::int64_t block, std::int64_t n) {
    return {unit * block, std::min(n, (unit + 1) * block)};
}

// The `run` of a kernel that is written as one function per unit, templated on the element type.
template <class Args, void (*unit_f32)(const Args&, std::int64_t),
          void (*unit_f64)(const Args&, std::int64_t)>
void run_units(const Args& args, std::int64_t first, std::int64_t last) {
    const auto unit = args.dtype == DType::f32 ? unit_f32 : unit_f64;
    for (std::int64_t u = first; u < last; ++u) unit(args, u);
}

// term(0) + ... + term(n - 1) in double. Eight sums side by side hide the latency of the addition;
// their order is fixed by n alone.
template <class F>
double sum_terms(std::int64_t n, F term) {
    double lanes[8] = {};
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int j = 0; j < 8; ++j) lanes[j] += term(i + j);
    }
    for (int j = 0; i < n; ++i, ++j) lanes[j] += term(i);
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

}  // namespace drydock::kernels::portable
