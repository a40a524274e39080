// Programs whose linear layers round their factors to bfloat16.
#include <doctest/doctest.h>

#include <cmath>

#include "base/error.h"
#include "core/executable.h"
#include "tests/core/harness.h"
#include "tests/core/regression.h"

namespace drydock::test {
namespace {

const ExecutableOptions kBf16 = {.precision = kernels::Precision::bf16};

double largest_difference(const Values& a, const Values& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(a[i] - b[i]));
    return largest;
}

Values trained(int threads, const ExecutableOptions& options) {
    Regression r(DType::f32, Device::cpu(threads, "", options.precision));
    r.replay(50, options);
    return r.parameters();
}

TEST_CASE("training in bf16 is near fp32, not equal to it, and does not depend on threads") {
    const Values full = trained(1, {}), one = trained(1, kBf16);
    CHECK(trained(3, kBf16) == one);
    const double difference = largest_difference(full, one);
    CHECK(difference > 1e-6);
    CHECK(difference < 0.05);
}

TEST_CASE("in bf16 a replay gives the same bits again") {
    Regression once(DType::f32, Device::cpu(1, "", kBf16.precision));
    Regression twice(DType::f32, Device::cpu(1, "", kBf16.precision));
    once.replay(20, kBf16);
    twice.replay(7, kBf16);
    twice.replay(13, kBf16);
    CHECK(once.parameters() == twice.parameters());
    CHECK(once.targets() == twice.targets());
}

TEST_CASE("layers of few outputs are not rounded, wider ones are") {
    const Device device = Device::cpu(1, "", kBf16.precision);
    State state(device);
    ParameterGroup& group = state.add_group("net");
    group.add({"narrow", {kernels::kNarrowOutputs, 1}, Initializer::ones});
    group.add({"wide", {kernels::kNarrowOutputs + 1, 1}, Initializer::ones});
    const float x = 1.0F + 0x1p-10F;
    const BufferId in = state.add_column("x", {1, 1}, std::span<const float>(&x, 1));
    Graph g(state);
    const Tensor narrow = linear(g.buffer(in), g.parameter(group, 0), {});
    const Tensor wide = linear(g.buffer(in), g.parameter(group, 1), {});
    g.keep(narrow);
    g.keep(wide);
    group.initialize(1);
    Executable executable(state, kBf16);
    executable.add(g.finish());
    executable.run(1);
    for (const double y : executable.read(narrow.id())) CHECK(y == static_cast<double>(x));
    for (const double y : executable.read(wide.id())) CHECK(y == 1.0);
}

TEST_CASE("bf16 is refused where the state is in f64") {
    const Device device = Device::cpu(1, "portable");
    State state(device, DType::f64);
    CHECK_THROWS_WITH_AS(Executable(state, kBf16), doctest::Contains("expected a state in f32"),
                         Error);
}

TEST_CASE("a device for full precision is avx512 at most, for bf16 what the processor has") {
    CHECK(Device::cpu(1).isa() <= kernels::Isa::avx512);
    CHECK(Device::cpu(1, "", kBf16.precision).isa() == kernels::best_isa());
    for (const char* name : kernels::kIsaNames) {
        CAPTURE(name);
        if (name != std::string(name_of(kernels::best_isa()))) continue;
        CHECK(Device::cpu(1, name, kBf16.precision).isa() == kernels::best_isa());
    }
    if (kernels::best_isa() < kernels::Isa::amx) {
        CHECK_THROWS_WITH_AS(Device::cpu(1, "amx", kBf16.precision), doctest::Contains("amx"),
                             Error);
    }
}

}  // namespace
}  // namespace drydock::test
