// Integer, comparison and mathematical functions of every page of base/simd.h: against their
// definitions, against libm in double, and all pages against each other, bit for bit.
#include <bit>

#include "base/math.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/simd_pages.h"

using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

using Map = std::int64_t (*)(VectorFunction, const float*, const float*, float*, std::int64_t);
using Floats = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct MapPage {
    const char* name;
    Map map;
};

std::vector<MapPage> map_pages() {
    std::vector<MapPage> pages = {{"scalar", scalar_map}, {"portable", portable_map}};
#if defined(DRYDOCK_HAS_AVX2)
    if (has_isa(Isa::avx2)) pages.push_back({"avx2", avx2_map});
    if (has_isa(Isa::avx512)) pages.push_back({"avx512", avx512_map});
#elif defined(DRYDOCK_HAS_NEON)
    pages.push_back({"neon", neon_map});
#endif
    return pages;
}

std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }
float of(std::uint32_t x) { return std::bit_cast<float>(x); }

// Patterns of bits over the whole range of float, then the values at which functions differ.
Floats patterns(std::uint32_t stride) {
    Floats x = {0.0f,  -0.0f,        kInfinity,    -kInfinity,  kNan,       1.0f,   -1.0f,
                88.8f, -103.9f,      -104.1f,      8.5f,        8.4999f,    0.625f, 0.62499994f,
                of(1), of(0x7fffff), of(0x800000), 1.41421354f, 0.70710677f};
    for (std::uint64_t i = 7; i <= 0xffffffffu; i += stride) {
        x.push_back(of(static_cast<std::uint32_t>(i)));
    }
    x.resize((x.size() + 63) / 64 * 64, 0.5f);
    return x;
}

bool same(float a, float b) { return (std::isnan(a) && std::isnan(b)) || bits(a) == bits(b); }

// Distance in units of the last place of the exact value, subnormal ones included.
double ulps(float got, double want) {
    const double rounded = static_cast<double>(static_cast<float>(want));
    if (std::isnan(want)) return std::isnan(got) ? 0 : kInfinity;
    if (std::isinf(rounded) || rounded == 0) {
        return std::fabs(static_cast<double>(got) - rounded) == 0 ||
                       static_cast<double>(got) == rounded
                   ? 0
                   : kInfinity;
    }
    int exponent = 0;
    std::frexp(want, &exponent);
    return std::fabs(static_cast<double>(got) - want) /
           std::ldexp(1.0, std::max(exponent - 24, -149));
}

template <class F>
void check_definition(VectorFunction f, F definition) {
    CAPTURE(static_cast<int>(f));
    const Floats a = patterns(40'000'003);
    Floats b(a.rbegin(), a.rend());
    for (std::size_t i = 0; i < b.size(); i += 3) b[i] = a[i];
    for (const MapPage& page : map_pages()) {
        CAPTURE(page.name);
        Floats out(a.size());
        page.map(f, a.data(), b.data(), out.data(), static_cast<Index>(a.size()));
        Index wrong = 0;
        for (std::size_t i = 0; i < a.size(); ++i) wrong += bits(out[i]) != definition(a[i], b[i]);
        CHECK(wrong == 0);
    }
}

// The largest error in ulp of the scalar page; the other pages must have its bits.
template <class F>
double worst_error(VectorFunction f, const Floats& x, F error) {
    const auto n = static_cast<Index>(x.size());
    Floats want(x.size()), got(x.size());
    scalar_map(f, x.data(), x.data(), want.data(), n);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, error(x[i], want[i]));
    for (const MapPage& page : map_pages()) {
        CAPTURE(page.name);
        page.map(f, x.data(), x.data(), got.data(), n);
        Index different = 0;
        for (std::size_t i = 0; i < x.size(); ++i) different += !same(got[i], want[i]);
        CHECK(different == 0);
    }
    return worst;
}

}  // namespace

TEST_CASE("comparisons and integer functions of every page do what they say") {
    using F = VectorFunction;
    using U = std::uint32_t;
    check_definition(F::min, [](float a, float b) { return bits(a < b ? a : b); });
    check_definition(F::absolute, [](float a, float) { return bits(a) & 0x7fffffffu; });
    check_definition(F::negate, [](float a, float) { return bits(a) ^ 0x80000000u; });
    check_definition(F::greater_equal, [](float a, float b) { return bits(a >= b ? 1.0f : 0.0f); });
    check_definition(F::equal, [](float a, float b) { return bits(a == b ? 1.0f : 0.0f); });
    check_definition(F::both, [](float a, float b) { return bits(a > 0 && b > 0 ? 1.0f : 0.0f); });
    check_definition(F::add_int, [](float a, float b) { return bits(a) + bits(b); });
    check_definition(F::sub_int, [](float a, float b) { return bits(a) - bits(b); });
    check_definition(F::bit_and, [](float a, float b) { return bits(a) & bits(b); });
    check_definition(F::bit_xor, [](float a, float b) { return bits(a) ^ bits(b); });
    check_definition(F::shift_left, [](float a, float) { return bits(a) << 7; });
    check_definition(F::shift_right, [](float a, float) { return bits(a) >> 7; });
    check_definition(F::shift_right_signed, [](float a, float) {
        return static_cast<U>(static_cast<std::int32_t>(bits(a)) >> 7);
    });
    check_definition(F::to_float, [](float a, float) {
        return bits(static_cast<float>(static_cast<std::int32_t>(bits(a))));
    });
    check_definition(F::product_high, [](float a, float b) {
        return static_cast<U>(std::uint64_t{bits(a)} * bits(b) >> 32);
    });
    check_definition(F::product_low, [](float a, float b) { return bits(a) * bits(b); });
}

TEST_CASE("functions across lanes of every page do what they say") {
    Floats x(128);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) - 50;
    for (const MapPage& page : map_pages()) {
        CAPTURE(page.name);
        Floats numbers(128), largest(128), woven(128), head(128);
        const auto run = [&](VectorFunction f, Floats& out) {
            return page.map(f, x.data(), x.data(), out.data(), 128);
        };
        run(VectorFunction::lane_numbers, numbers);
        run(VectorFunction::largest, largest);
        run(VectorFunction::first, head);
        const auto lanes = static_cast<std::size_t>(run(VectorFunction::interleave, woven));
        for (std::size_t i = 0; i < 128; ++i) {
            CHECK(numbers[i] == static_cast<float>(i % lanes + 3));
            CHECK(head[i] == (i % lanes < 3 ? 1.0f : 0.0f));
            const auto first = x.begin() + static_cast<Index>(i / lanes * lanes);
            CHECK(largest[i] == *std::max_element(first, first + static_cast<Index>(lanes)));
            const std::size_t block = i / (4 * lanes) * 4 * lanes, k = i % 4;
            CHECK(woven[i] == x[block + k * lanes + i % (4 * lanes) / 4]);
        }
    }
}

TEST_CASE("the vectors' exp and tanh have the bits of base/math.h") {
    const Floats x = patterns(99'991);
    const auto differs = [](float got, float want) { return same(got, want) ? 0.0 : 1.0; };
    CHECK(worst_error(VectorFunction::exp, x,
                      [&](float v, float y) { return differs(y, drydock::exp(v)); }) == 0);
    CHECK(worst_error(VectorFunction::tanh, x,
                      [&](float v, float y) { return differs(y, drydock::tanh(v)); }) == 0);
}

TEST_CASE("the vectors' logarithms are within their stated errors") {
    const Floats all = patterns(9'973);
    const double log_error = worst_error(VectorFunction::log, all, [](float x, float y) {
        return ulps(y, std::log(static_cast<double>(x)));
    });
    CHECK(log_error <= 1.0);
    CHECK(log_error > 0.5);  // an error below the rounding's would mean that nothing was measured
    Floats near_one(1 << 16), fractions = {kNan};
    for (std::size_t i = 0; i < near_one.size(); ++i) {
        near_one[i] = of(0x3f800000u - 32768u + static_cast<std::uint32_t>(i));
    }
    CHECK(worst_error(VectorFunction::log, near_one, [](float x, float y) {
              return ulps(y, std::log(static_cast<double>(x)));
          }) <= 1.0);
    for (float x : all) {
        if (x >= 0 && x <= 1) fractions.push_back(x);
    }
    fractions.resize(fractions.size() / 64 * 64);
    const double fraction_error =
        worst_error(VectorFunction::log1p_of_fraction, fractions,
                    [](float x, float y) { return ulps(y, std::log1p(static_cast<double>(x))); });
    CHECK(fraction_error <= 2.0);
    CHECK(fraction_error > 0.5);
}

TEST_CASE("the vectors' normal distribution is within its stated errors") {
    Floats x = patterns(99'991);
    for (int i = 0; i < 64 * 4000; ++i) x.push_back(static_cast<float>(i - 128'000) * 7e-5f);
    const auto distance = [](float got, double want) {
        if (std::isnan(want)) return std::isnan(got) ? 0.0 : 1.0;
        return std::fabs(static_cast<double>(got) - want);
    };
    CHECK(worst_error(VectorFunction::normal_below, x, [&](float v, float y) {
              return distance(y, std::erfc(-static_cast<double>(v) / std::sqrt(2.0)) / 2);
          }) <= 3e-7);
    CHECK(worst_error(VectorFunction::normal_density, x, [&](float v, float y) {
              const double square = static_cast<double>(v) * static_cast<double>(v);
              return distance(y, std::exp(-square / 2) / std::sqrt(2 * std::acos(-1.0)));
          }) <= 2e-7);
}
