// Persistent memory: layout of groups, first values, conversions.
#include <doctest/doctest.h>

#include "base/error.h"
#include "core/initialize.h"
#include "tests/core/harness.h"

namespace drydock::test {
namespace {

double mean_square(const Values& v) {
    double s = 0;
    for (double x : v) s += x * x;
    return s / static_cast<double>(v.size());
}

TEST_CASE("parameters of a group are aligned pieces of one flat buffer") {
    const Device device = Device::cpu(1);
    State s(device);
    ParameterGroup& g = s.add_group("net");
    g.add({"a", {3}, Initializer::ones});
    g.add({"b", {17}, Initializer::ones});
    CHECK(g.offset(1) * 4 % static_cast<std::int64_t>(kAlignment) == 0);
    const Buffer& flat = s.buffer(g.parameters());
    CHECK(flat.shape == Shape{g.size()});
    CHECK(reinterpret_cast<std::uintptr_t>(flat.data) % kAlignment == 0);
    g.write(1, Values(17, 2.5));
    CHECK(static_cast<float*>(flat.data)[g.offset(1) + 16] == 2.5F);
    CHECK(static_cast<float*>(flat.data)[3] == 0.0F);  // padding
    CHECK(g.read(1) == Values(17, 2.5));
}

TEST_CASE("initialisers keep their promises and depend on seed and name alone") {
    const ParameterSpec layer{"x.weight", {64, 100}, Initializer::pytorch_default};
    const Values a = initial_values(layer, 1);
    CHECK(a == initial_values(layer, 1));
    CHECK(a != initial_values(layer, 2));
    CHECK(a != initial_values({"y.weight", {64, 100}, Initializer::pytorch_default}, 1));
    for (double x : a) CHECK(std::fabs(x) <= 0.1);
    CHECK(mean_square(a) == doctest::Approx(0.01 / 3).epsilon(0.05));

    const Values x = initial_values({"x", {60, 40}, Initializer::xavier, 2.0}, 1);
    CHECK(mean_square(x) == doctest::Approx(4.0 * 2.0 / 100).epsilon(0.06));
    const Values n = initial_values({"n", {60, 40}, Initializer::normal, 0.02}, 1);
    CHECK(mean_square(n) == doctest::Approx(0.0004).epsilon(0.1));
    CHECK(initial_values({"b", {5}, Initializer::pytorch_default, 1.0, 100}, 1)[0] <= 0.1);
}

TEST_CASE("orthogonal rows or columns have length gain and are perpendicular") {
    for (const Shape& shape : {Shape{8, 20}, Shape{20, 8}}) {
        const Values w = initial_values({"o", shape, Initializer::orthogonal, std::sqrt(2.0)}, 5);
        const bool wide = shape[0] < shape[1];
        for (std::int64_t i = 0; i < 8; ++i) {
            for (std::int64_t j = 0; j < 8; ++j) {
                double dot = 0;
                for (std::int64_t k = 0; k < 20; ++k) {
                    const auto at = [&](std::int64_t v) {
                        return w[static_cast<std::size_t>(wide ? v * 20 + k : k * 8 + v)];
                    };
                    dot += at(i) * at(j);
                }
                CHECK(dot == doctest::Approx(i == j ? 2.0 : 0.0).epsilon(1e-12));
            }
        }
    }
}

TEST_CASE("columns are converted to the real type of the state") {
    const Device device = Device::cpu(1);
    State single(device), twice(device, DType::f64);
    const std::vector<float> values{1.5F, -2.25F};
    CHECK(static_cast<float*>(
              single.buffer(single.add_column("c", {2}, std::span<const float>(values))).data)[1] ==
          -2.25F);
    CHECK(static_cast<double*>(
              twice.buffer(twice.add_column("c", {2}, std::span<const float>(values))).data)[1] ==
          -2.25);
}

TEST_CASE("adopted columns are the vector's own memory, or converted where the type differs") {
    const Device device = Device::cpu(1);
    State single(device), twice(device, DType::f64);
    std::vector<float> values{1.5F, -2.25F};
    const float* memory = values.data();
    const Buffer& adopted = single.buffer(single.adopt_column("c", {2}, std::move(values)));
    CHECK(adopted.data == memory);
    CHECK(adopted.shape == Shape{2});
    CHECK(adopted.dtype == DType::f32);
    // Later ones leave it where it is.
    for (std::size_t i = 2; i < 20; ++i) {
        single.adopt_column(std::string(i, 'c'), {1}, std::vector<float>{0.5F});
    }
    CHECK(static_cast<const float*>(adopted.data)[1] == -2.25F);
    values = {1.5F, -2.25F};
    const Buffer& converted = twice.buffer(twice.adopt_column("c", {2}, std::move(values)));
    CHECK(static_cast<double*>(converted.data)[1] == -2.25);
    CHECK_THROWS_WITH_AS(single.adopt_column("c", {1}, std::vector<float>{1.0F}),
                         "[state] a buffer named 'c' exists already", Error);
    CHECK_THROWS_WITH_AS(single.adopt_column("d", {3}, std::vector<float>{1.0F}),
                         "[state] expected 3 values for column 'd' (3), got 1", Error);
    CHECK_NOTHROW(single.adopt_column("d", {1}, std::vector<float>{1.0F}));
}

}  // namespace
}  // namespace drydock::test
