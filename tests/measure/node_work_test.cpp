#include "measure/node_work.h"

#include <doctest/doctest.h>

#include "core/graph.h"
#include "core/ops/ops.h"

namespace drydock::measure {
namespace {

// The work of the last node of that op in a program.
NodeWork work_of(const Program& program, Op op) {
    for (std::size_t n = program.nodes.size(); n-- > 0;) {
        if (program.nodes[n].op == op) return node_work(program, program.nodes[n]);
    }
    FAIL("no such node");
    return {};
}

struct Recorded {
    Device device = Device::cpu(1, "portable");
    State state{device};
    Program program;
    explicit Recorded(const std::function<void(State&, Graph&)>& build) {
        program = record(state, [&](Graph& g) { build(state, g); });
    }
};

Tensor zeros(State& state, Graph& g, const char* name, const Shape& shape) {
    return g.buffer(state.add_buffer(name, DType::f32, shape));
}

TEST_CASE("a layer and its gradients") {
    Recorded r([](State& state, Graph& g) {
        ParameterGroup& group = state.add_group("p");
        group.add({"x", {8, 5}, Initializer::ones});
        group.add({"w", {3, 5}, Initializer::ones});
        group.add({"b", {3}, Initializer::ones});
        g.minimize(sum(linear(g.parameter(group, 0), g.parameter(group, 1), g.parameter(group, 2))),
                   group);
    });
    constexpr double kProduct = 2.0 * 8 * 5 * 3;
    const NodeWork forward = work_of(r.program, Op::linear);
    CHECK(forward.flop == kProduct);
    CHECK(forward.bytes == 4 * (8 * 5 + 3 * 5 + 3 + 8 * 3));
    CHECK(work_of(r.program, Op::linear_input_gradient).flop == kProduct);
    const NodeWork weights = work_of(r.program, Op::linear_weight_gradient);
    CHECK(weights.flop == kProduct);
    // Gradients, moments and parameters; what is overwritten is read and written.
    const std::int64_t n = r.state.groups().front().size();
    const NodeWork adam = work_of(r.program, Op::adam_step);
    CHECK(adam.bytes >= 4.0 * 7.0 * static_cast<double>(n));
    CHECK(adam.bytes <= 4.0 * 7.0 * static_cast<double>(n) + 2.0 * 128);
    CHECK(adam.flop == 14.0 * static_cast<double>(n));
}

TEST_CASE("what broadcasting repeats is read once, and of a table the rows that are taken") {
    const Recorded r([](State& state, Graph& g) {
        state.counters().dataset_size = 1000;
        const Tensor rows =
            gather_rows(zeros(state, g, "table", {1000, 6}), g.random_rows("rows", 4));
        g.keep(rows + zeros(state, g, "row", {1, 6}));
    });
    const NodeWork gather = work_of(r.program, Op::gather_rows);
    CHECK(gather.flop == 0);
    CHECK(gather.bytes == 4 * 4 * 6 + 8 * 4 + 4 * 4 * 6);
    const NodeWork add = work_of(r.program, Op::binary);
    CHECK(add.flop == 4 * 6);
    CHECK(add.bytes == 4 * (4 * 6 + 6 + 4 * 6));
}

TEST_CASE("attention counts the tokens that a query sees") {
    const Recorded r([](State& state, Graph& g) {
        // Two sequences of six tokens, queries at 1 and 4: they see 2 and 5.
        ParameterGroup& group = state.add_group("p");
        group.add({"q", {4, 8}, Initializer::ones});
        group.add({"kv", {12, 16}, Initializer::ones});
        const Tensor out = causal_attention(g.parameter(group, 0), g.parameter(group, 1),
                                            zeros(state, g, "mask", {2, 6}), {2, 1, 3});
        g.gradients(sum(out), group);
    });
    const NodeWork forward = work_of(r.program, Op::causal_attention);
    CHECK(forward.flop == 2 * 2.0 * 8 * (2 + 5) * 2);
    CHECK(work_of(r.program, Op::causal_attention_gradient).flop == 2.5 * forward.flop);
}

TEST_CASE("products are told from the rest") {
    CHECK(is_product(Op::linear_weight_gradient));
    CHECK(is_product(Op::causal_attention));
    CHECK_FALSE(is_product(Op::adam_step));
    CHECK_FALSE(is_product(Op::layer_norm));
}

}  // namespace
}  // namespace drydock::measure
