#include "base/philox.h"

#include <doctest/doctest.h>
#include <cmath>
#include <set>

using namespace drydock;

namespace {

bool same(PhiloxBlock a, std::uint32_t w0, std::uint32_t w1, std::uint32_t w2, std::uint32_t w3) {
    return a.word[0] == w0 && a.word[1] == w1 && a.word[2] == w2 && a.word[3] == w3;
}

constexpr std::uint64_t kStream = stream_id("policy_action");

}  // namespace

TEST_CASE("Philox4x32-10 gives the known answers of Random123") {
    CHECK(
        same(philox4x32({{0, 0, 0, 0}}, {{0, 0}}), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
    const std::uint32_t ones = 0xffffffff;
    CHECK(same(philox4x32({{ones, ones, ones, ones}}, {{ones, ones}}), 0x408f276d, 0x41c83b0e,
               0xa20bc7c6, 0x6d5451fd));
    CHECK(same(
        philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, {{0xa4093822, 0x299f31d0}}),
        0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST_CASE("a stream's name is hashed by 64-bit FNV-1a") {
    CHECK(stream_id("") == 0xcbf29ce484222325u);
    CHECK(stream_id("a") == 0xaf63dc4c8601ec8cu);
    CHECK(stream_id("foobar") == 0x85944171f73967e8u);
}

TEST_CASE("the finaliser is that of splitmix64") {
    // The generator's first output from state 0 is the finaliser of its increment.
    CHECK(finalise64(0x9e3779b97f4a7c15u) == 0xe220a8397b1dcdafu);
}

TEST_CASE("multiply_high is the upper half of the product") {
    CHECK(multiply_high(~0ull, ~0ull) == ~0ull - 1);
    CHECK(multiply_high(1ull << 63, 6) == 3);
    CHECK(multiply_high(0xfedcba9876543210u, 0x0123456789abcdefu) == 0x0121fa00ad77d742u);
}

TEST_CASE("elements take the documented words of the documented blocks") {
    const std::uint64_t seed = 7, step = (5ull << 32) + 3;
    const PhiloxKey key = stream_key(seed, kStream);
    const PhiloxBlock direct = philox4x32({{2, 0, 3, 5}}, key);
    const PhiloxBlock block = random_block(seed, kStream, step, 2);
    CHECK(same(block, direct.word[0], direct.word[1], direct.word[2], direct.word[3]));
    CHECK(uniform_f32(seed, kStream, step, 9) == static_cast<float>(block.word[1] >> 8) * 0x1p-24f);
    const std::uint64_t low = word64_of(block, 0), high = word64_of(block, 1);
    CHECK(high == (std::uint64_t{block.word[3]} << 32 | block.word[2]));
    CHECK(uniform_f64(seed, kStream, step, 4) == static_cast<double>(low >> 11) * 0x1p-53);
    CHECK(uniform_f64(seed, kStream, step, 5) == static_cast<double>(high >> 11) * 0x1p-53);
    CHECK(random_index(seed, kStream, step, 5, 1000) == multiply_high(high, 1000));
    const PhiloxBlock far = philox4x32({{1, 2, 3, 5}}, key);
    CHECK(uniform_f32(seed, kStream, step, 4 * ((2ull << 32) + 1)) == uniform_f32_of(far.word[0]));
}

TEST_CASE("seed, stream, step and element all change a draw") {
    std::set<float> draws;
    for (std::uint64_t k = 0; k < 50; ++k) {
        draws.insert(uniform_f32(k, kStream, 1, 0));
        draws.insert(uniform_f32(100, kStream + 1 + k, 1, 0));
        draws.insert(uniform_f32(100, kStream, 2 + k, 0));
        draws.insert(uniform_f32(100, kStream, 1, 1 + k));
    }
    // 200 draws of 24 bits collide with a probability of about 0.001; these do not.
    CHECK(draws.size() == 200);
}

TEST_CASE("uniforms are below 1 and have the moments of a uniform") {
    const int n = 100'000;
    double sum = 0, squares = 0, sum64 = 0;
    for (int i = 0; i < n; ++i) {
        const float u = uniform_f32(1, kStream, 2, i);
        const double v = uniform_f64(1, kStream, 2, i);
        REQUIRE((u >= 0.0f && u < 1.0f && v >= 0.0 && v < 1.0));
        sum += u;
        squares += static_cast<double>(u) * u;
        sum64 += v;
    }
    // Five standard errors.
    CHECK(std::abs(sum / n - 0.5) < 5 * 0.2887 / std::sqrt(n));
    CHECK(std::abs(sum64 / n - 0.5) < 5 * 0.2887 / std::sqrt(n));
    CHECK(std::abs(squares / n - 1.0 / 3) < 5 * 0.2981 / std::sqrt(n));
    CHECK(uniform_f32_of(~0u) < 1.0f);
    CHECK(uniform_f64_of(~0ull) < 1.0);
}

TEST_CASE("normals have mean 0, variance 1 and unrelated neighbours") {
    const int n = 100'000;
    double sum = 0, squares = 0, neighbours = 0, fourth = 0, difference = 0;
    double previous = 0;
    for (int i = 0; i < n; ++i) {
        const double x = normal_f32(3, kStream, 1, i);
        const double y = normal_f64(3, kStream, 1, i);
        REQUIRE((std::isfinite(x) && std::isfinite(y)));
        sum += x;
        squares += x * x;
        fourth += y * y * y * y;
        neighbours += x * previous;
        difference += y;
        previous = x;
    }
    CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
    CHECK(std::abs(difference / n) < 5 / std::sqrt(n));
    CHECK(std::abs(squares / n - 1) < 5 * 1.4142 / std::sqrt(n));
    CHECK(std::abs(neighbours / n) < 5 / std::sqrt(n));
    CHECK(std::abs(fourth / n - 3) < 5 * 9.798 / std::sqrt(n));
}

TEST_CASE("a pair of normals is one point of Box and Muller's") {
    const PhiloxBlock b = random_block(1, 2, 3, 4);
    const double u = static_cast<double>(uniform_f32_of(b.word[0])) + 0x1p-24;
    const double angle = 2 * 3.14159265358979324 * static_cast<double>(uniform_f32_of(b.word[1]));
    const double radius = std::sqrt(-2 * std::log(u));
    CHECK(normal_f32(1, 2, 3, 8) == doctest::Approx(radius * std::cos(angle)).epsilon(1e-5));
    CHECK(normal_f32(1, 2, 3, 9) == doctest::Approx(radius * std::sin(angle)).epsilon(1e-5));
    const double x = normal_f64(1, 2, 3, 8), y = normal_f64(1, 2, 3, 9);
    const double u64 = uniform_f64(1, 2, 3, 8) + 0x1p-53;
    CHECK(x * x + y * y == doctest::Approx(-2 * std::log(u64)).epsilon(1e-12));
}

TEST_CASE("row indices stay below their bound and are even") {
    int counts[7] = {};
    for (int i = 0; i < 70'000; ++i) {
        const std::uint64_t row = random_index(1, kStream, 9, i, 7);
        REQUIRE(row < 7);
        ++counts[row];
    }
    for (const int count : counts) {
        CHECK(std::abs(count - 10'000) < 5 * 93);  // binomial deviation 92.6
    }
    CHECK(random_index(1, kStream, 9, 0, 0) == 0);
    CHECK(random_index(1, kStream, 9, 0, 1) == 0);
}
