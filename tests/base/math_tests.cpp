#include "base/math.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Distance in units of the last place of the exact value, subnormal ones included.
double ulps(float got, double want) {
    int exponent = 0;
    std::frexp(want, &exponent);
    return std::abs(static_cast<double>(got) - want) /
           std::ldexp(1.0, std::max(exponent - 24, -149));
}

// The largest error over floats of both signs, one of each `stride` patterns of bits.
template <class F, class G>
double worst_ulps(F f, G oracle, float largest, std::uint32_t stride) {
    double worst = 0;
    for (std::uint32_t bits = 0; bits <= std::bit_cast<std::uint32_t>(largest); bits += stride) {
        for (const float x : {std::bit_cast<float>(bits), -std::bit_cast<float>(bits)}) {
            worst = std::max(worst, ulps(f(x), oracle(static_cast<double>(x))));
        }
    }
    return worst;
}

}  // namespace

TEST_CASE("exp is within its stated error") {
    const auto f = [](float x) { return drydock::exp(x); };
    const double worst = worst_ulps(
        f, [](double x) { return std::exp(x); }, 88.72f, 997);
    CHECK(worst <= 1.1);
    CHECK(worst > 0.5);  // an error below the rounding's would mean that nothing was measured
    CHECK(worst_ulps(
              f, [](double x) { return std::exp(x); }, 1e-3f, 4999) <= 1.1);
}

TEST_CASE("exp at its ends") {
    CHECK(drydock::exp(0.0f) == 1.0f);
    CHECK(drydock::exp(-kInfinity) == 0.0f);
    CHECK(drydock::exp(-104.0f) == 0.0f);
    CHECK(drydock::exp(-103.0f) > 0.0f);
    CHECK(drydock::exp(88.73f) == kInfinity);
    CHECK(drydock::exp(kInfinity) == kInfinity);
    CHECK(std::isnan(drydock::exp(kNan)));
}

TEST_CASE("tanh is within its stated error, odd and bounded") {
    const auto f = [](float x) { return drydock::tanh(x); };
    const double worst = worst_ulps(
        f, [](double x) { return std::tanh(x); }, std::numeric_limits<float>::max(), 997);
    CHECK(worst <= 1.5);
    CHECK(worst > 0.5);
    for (float x = 0.001f; x < 20.0f; x *= 1.01f) {
        REQUIRE(drydock::tanh(-x) == -drydock::tanh(x));
        REQUIRE(drydock::tanh(x) <= 1.0f);
    }
    CHECK(drydock::tanh(kInfinity) == 1.0f);
    CHECK(drydock::tanh(-kInfinity) == -1.0f);
    CHECK(drydock::tanh(0.0f) == 0.0f);
    CHECK(std::isnan(drydock::tanh(kNan)));
}

TEST_CASE("the emulated fused multiply-add has the bits of a real one") {
    std::mt19937 generator(1);
    const auto random_bits = [&] { return static_cast<std::uint32_t>(generator()); };
    for (int i = 0; i < 2'000'000; ++i) {
        const std::uint32_t a = random_bits(), b = random_bits();
        std::uint32_t c = random_bits();
        if (i % 2 == 0) {
            // An addend of about the product's size, where rounding is hardest.
            const int exponent = static_cast<int>(a >> 23 & 255) + static_cast<int>(b >> 23 & 255) -
                                 127 + static_cast<int>(c % 50) - 25;
            const auto bounded = static_cast<std::uint32_t>(std::clamp(exponent, 0, 254));
            c = (c & 0x807fffffu) | bounded << 23;
        }
        const float x = std::bit_cast<float>(a), y = std::bit_cast<float>(b),
                    z = std::bit_cast<float>(c);
        const float got = drydock::EmulatedFma::fma(x, y, z), want = std::fma(x, y, z);
        const bool same = std::bit_cast<std::uint32_t>(got) == std::bit_cast<std::uint32_t>(want);
        REQUIRE((same || (std::isnan(got) && std::isnan(want))));
    }
}

TEST_CASE("exp and tanh have the same bits with either multiply-add") {
    for (float x = -30.0f; x < 30.0f; x += 0.00371f) {
        REQUIRE(drydock::exp<drydock::EmulatedFma>(x) == drydock::exp<drydock::HardwareFma>(x));
        REQUIRE(drydock::tanh<drydock::EmulatedFma>(x) == drydock::tanh<drydock::HardwareFma>(x));
    }
}
