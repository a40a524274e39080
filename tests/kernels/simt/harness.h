// Shared by the tests of CUDA kernels: inputs, thread orders, comparison with an oracle.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/simt/runtime.h"

namespace drydock::kernels::simt {

// Around every tile edge that the kernels have, and one several tiles away.
constexpr std::int64_t kOddSizes[] = {1, 3, 17, 31, 33, 64, 65, 100, 257};

// n values in [-1, 1), the same for the same seed.
inline std::vector<float> random_values(std::int64_t n, std::uint32_t seed) {
    std::vector<float> values(static_cast<std::size_t>(n));
    std::uint32_t state = seed * 2654435761u + 1;
    for (float& v : values) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<float>(state >> 8) / static_cast<float>(1 << 23) - 1.0f;
    }
    return values;
}

// Calls run() with the threads in ascending, descending and two shuffled orders.
template <class Run>
void for_each_order(Run&& run) {
    const auto with = [&](Order order, std::uint64_t seed, const std::string& name) {
        INFO("thread order: ", name);
        set_order(order, seed);
        run();
    };
    with(Order::ascending, 0, "ascending");
    with(Order::descending, 0, "descending");
    with(Order::shuffled, 1, "shuffled, seed 1");
    with(Order::shuffled, 2, "shuffled, seed 2");
    set_order(Order::ascending);
}

inline void check_no_reports() {
    for (const Report& report : take_reports()) FAIL_CHECK(report.text);
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// A value in double and the size of the terms that it was added up from: the yardstick for its
// rounding error.
struct Expected {
    double value = 0, magnitude = 0;
    void add(double term) {
        value += term;
        magnitude += std::fabs(term);
    }
};

// True if |got - want| <= roundings * 2^-24 * magnitude.
inline bool is_close(float got, const Expected& want, double roundings) {
    const double bound = roundings * 0x1p-24 * want.magnitude + 1e-30;
    return std::fabs(static_cast<double>(got) - want.value) <= bound;
}

// The index of the first element that is off, or -1.
inline std::int64_t first_difference(const std::vector<float>& got,
                                     const std::vector<Expected>& want, double roundings) {
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (!is_close(got[i], want[i], roundings)) return static_cast<std::int64_t>(i);
    }
    return -1;
}

}  // namespace drydock::kernels::simt
