// Every op of the table, four ways: against its oracle, its gradient against central differences,
// replay against eager, and fused against its composition.
#include <doctest/doctest.h>

#include "tests/core/op_cases.h"

namespace drydock::test {
namespace {

const Device& device(const char* isa = "") {
    static const Device best = Device::cpu(1);
    static const Device portable = Device::cpu(1, "portable");
    return *isa ? portable : best;
}

// d/dx of sum(output * cotangent) by central differences in fp64.
Values numeric_gradient(const OpCase& c, std::vector<Values> values, std::size_t input) {
    const auto loss = [&] {
        CaseState s(c, device(), DType::f64, values);
        Graph g(s.state, {.eager = true});
        return g.read(weighted_sum(g, s, s.build(g)))[0];
    };
    Values out;
    for (double& x : values[input]) {
        const double middle = x, h = 1e-5;
        x = middle + h;
        const double up = loss();
        x = middle - h;
        const double down = loss();
        x = middle;
        out.push_back((up - down) / (2 * h));
    }
    return out;
}

TEST_CASE("every op agrees with its oracle, in fp32 and fp64, on every path") {
    for (const OpCase& c : op_cases()) {
        CAPTURE(c.name);
        for (const char* isa : {"", "portable"}) {
            for (const DType real : {DType::f32, DType::f64}) {
                const auto values = draw_inputs(c, real);
                const Values got = eager_forward(c, device(isa), real, values);
                CHECK(deviation(got, c.oracle(values)) < (real == DType::f32 ? 2e-6 : 1e-14));
            }
        }
    }
}

TEST_CASE("every adjoint agrees with central differences under a random cotangent, in fp64") {
    for (const OpCase& c : op_cases()) {
        if (!c.differentiable) continue;
        CAPTURE(c.name);
        const auto values = draw_inputs(c, DType::f64);
        const ReplayResult r = replay(c, device(), DType::f64, values, {});
        for (std::size_t i = 0; i < c.inputs.size(); ++i) {
            CAPTURE(i);
            CHECK(deviation(r.gradients[i], numeric_gradient(c, values, i)) < 1e-8);
        }
    }
}

TEST_CASE("replay without passes equals eager execution bit for bit") {
    for (const OpCase& c : op_cases()) {
        CAPTURE(c.name);
        const auto values = draw_inputs(c, DType::f32);
        const ReplayResult want = eager(c, device(), DType::f32, values);
        for (const bool plan_tricks : {false, true}) {
            const ReplayResult got =
                replay(c, device(), DType::f32, values,
                       {.passes = Passes::none(), .plan = {plan_tricks, plan_tricks}});
            CHECK(same_bits(got.forward, want.forward));
            for (std::size_t i = 0; i < want.gradients.size(); ++i) {
                CHECK(same_bits(got.gradients[i], want.gradients[i]));
            }
        }
    }
}

TEST_CASE("fused ops and all passes stay within rounding of the composition of basic ops") {
    for (const OpCase& c : op_cases()) {
        CAPTURE(c.name);
        const auto values = draw_inputs(c, DType::f32);
        const ReplayResult fused = replay(c, device(), DType::f32, values, {});
        const ReplayResult basic = replay(c, device(), DType::f32, values, {}, false);
        CHECK(deviation(fused.forward, basic.forward) < 4e-6);
        for (std::size_t i = 0; i < fused.gradients.size(); ++i) {
            CHECK(deviation(fused.gradients[i], basic.gradients[i]) < 1e-5);
        }
    }
}

TEST_CASE("gradients at ties and kinks are those that the builders promise") {
    const auto gradient_at = [](double x, const Builder& build) {
        const OpCase c{"kink", {{{1}}}, build, {}};
        return replay(c, device(), DType::f64, {{x}}, {}).gradients[0][0] /
               draw({1}, -1.0, 1.0, 99)[0];
    };
    using T = std::vector<Tensor>;
    CHECK(gradient_at(0.0, [](Graph&, const T& t) { return relu(t[0]); }) == 0.0);
    CHECK(gradient_at(0.0, [](Graph&, const T& t) { return abs(t[0]); }) == 0.0);
    CHECK(gradient_at(1.0, [](Graph&, const T& t) { return clamp(t[0], -1.0, 1.0); }) == 1.0);
    CHECK(gradient_at(1.5, [](Graph&, const T& t) { return clamp(t[0], -1.0, 1.0); }) == 0.0);
    CHECK(gradient_at(2.0, [](Graph&, const T& t) { return minimum(t[0], t[0] * 1.0); }) == 1.0);
    CHECK(gradient_at(2.0, [](Graph&, const T& t) {
              return max(concat({t[0], detach(t[0])}, 0), 0) * fill(t[0].graph(), {1}, 1.0);
          }) == 0.5);
}

}  // namespace
}  // namespace drydock::test
