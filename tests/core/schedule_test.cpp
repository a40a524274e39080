// Which nodes run at once, and that rows computed apart have the bits that they have together.
#include "core/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/row_local.h"
#include "kernels/cpu/table.h"
#include "tests/core/op_cases.h"
#include "tests/core/phase_check.h"
#include "tests/core/random_program.h"
#include "tests/core/regression.h"

namespace drydock::test {
namespace {

// Every node is worth a meeting of threads, and chains are cut finely.
ExecutableOptions finely(std::int64_t rows, Passes passes = Passes::none()) {
    return {.passes = passes, .cut = {0, rows}};
}

int phases_of(const Schedule& s) { return s.phase.empty() ? 0 : s.phase.back() + 1; }

NodeId find(const Program& p, Op op, int which = 0) {
    for (std::size_t n = 0; n < p.nodes.size(); ++n) {
        if (p.nodes[n].op == op && which-- == 0) return static_cast<NodeId>(n);
    }
    FAIL("no such node");
    return -1;
}

std::int32_t phase_of(const Program& p, const Schedule& s, Op op, int which = 0) {
    return s.phase[static_cast<std::size_t>(find(p, op, which))];
}

TEST_CASE("every op computes some rows in the bits of all, on every instruction set") {
    for (const kernels::Isa isa :
         {kernels::Isa::portable, kernels::Isa::avx2, kernels::Isa::avx512, kernels::Isa::neon}) {
        if (!kernels::has_isa(isa)) continue;
        const Device device = Device::cpu(2, kernels::name_of(isa));
        for (const OpCase& c : op_cases()) {
            CAPTURE(c.name);
            const auto values = draw_inputs(c, DType::f32);
            const ReplayResult want = eager(c, device, DType::f32, values);
            for (const std::int64_t rows : {1, 3}) {
                const ReplayResult got = replay(c, device, DType::f32, values, finely(rows));
                CHECK(same_bits(got.forward, want.forward));
                for (std::size_t i = 0; i < want.gradients.size(); ++i) {
                    CHECK(same_bits(got.gradients[i], want.gradients[i]));
                }
            }
        }
    }
}

TEST_CASE("nodes of random programs that run at once keep out of each other's memory") {
    const Device device = Device::cpu(2);
    int together = 0, cut = 0;
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        const RandomProgram program = make_random_program(seed, 4 + static_cast<int>(seed % 20));
        CAPTURE(program.listing());
        const OpCase c = program.as_case();
        CaseState state(c, device, DType::f32, draw_inputs(c, DType::f32));
        Executable exe(state.state, finely(2, Passes{}));
        exe.add(record(state.state, [&](Graph& g) {
            g.minimize(weighted_sum(g, state, state.build(g)), state.inputs);
        }));
        CHECK(conflict_in_phases(exe) == "");
        const std::vector<std::int32_t>& phase = exe.schedule().phase;
        CHECK(std::is_sorted(phase.begin(), phase.end()));
        together += static_cast<int>(exe.steps(0).size() - exe.phases(0).size());
        for (const Phase& p : exe.phases(0)) cut += p.pieces.size() > 1;
    }
    CHECK(together > 400);
    CHECK(cut > 400);
}

TEST_CASE("the check of phases sees a conflict") {
    const Device device = Device::cpu(1);
    State s(device);
    const BufferId rows = s.add_buffer("rows", DType::f32, {8, 4});
    Executable exe(s);
    exe.add(record(s, [&](Graph& g) {
        const Tensor x = g.buffer(rows);
        store(exp(x), x);
        g.metric("m", sum(x));
    }));
    CHECK(conflict_in_phases(exe) == "");
    // The same nodes, all in one phase.
    auto& phase = const_cast<Schedule&>(exe.schedule()).phase;
    std::fill(phase.begin(), phase.end(), 0);
    CHECK(conflict_in_phases(exe) != "");
}

TEST_CASE("what does not depend on each other runs at once, rows follow each other") {
    const Device device = Device::cpu(1);
    State s(device);
    ParameterGroup& group = s.add_group("weights");
    for (const char* name : {"a", "b"}) group.add({name, {16, 16}, Initializer::zeros});
    const BufferId data = s.add_buffer("data", DType::f32, {64, 16});
    Program p = record(s, [&](Graph& g) {
        const Tensor x = g.buffer(data);
        const auto twice = [&](Tensor w) {
            return linear(linear(x, w, {}, Activation::relu), w, {});
        };
        const Tensor y = twice(g.parameter(group, 0)) + twice(g.parameter(group, 1));
        g.metric("m", sum(y));
    });
    const Schedule scheduled = schedule(p);
    for (int i = 0; i < 4; ++i) CHECK(phase_of(p, scheduled, Op::linear, i) == 0);
    CHECK(phase_of(p, scheduled, Op::binary) == 0);
    CHECK(phase_of(p, scheduled, Op::reduce) == 1);
    CHECK(scheduled.rows[static_cast<std::size_t>(find(p, Op::linear))] == 64);
}

TEST_CASE("a node that reads other rows waits for all of them") {
    const Device device = Device::cpu(1);
    State s(device);
    const BufferId data = s.add_buffer("data", DType::f32, {8, 4});
    Program p = record(s, [&](Graph& g) {
        const Tensor x = exp(g.buffer(data));
        g.metric("m", sum(x + slice(x, 0, 0, 1)));  // every row with the first
        g.metric("n", sum(reshape(x, {4, 8}) * 2.0));
    });
    const Schedule scheduled = schedule(p);
    CHECK(phase_of(p, scheduled, Op::unary) == 0);
    CHECK(phase_of(p, scheduled, Op::binary) == 1);
    CHECK(phase_of(p, scheduled, Op::unary, 1) == 1);
}

TEST_CASE("uses of persistent memory keep their order") {
    const Device device = Device::cpu(1);
    State s(device);
    const BufferId data = s.add_buffer("data", DType::f32, {8, 4});
    Executable exe(s, finely(1));
    exe.add(record(s, [&](Graph& g) {
        const Tensor x = g.buffer(data);
        g.metric("before", sum(x));
        store(x + 1.0, x);
        g.metric("between", sum(x));
        store(x * 2.0, x);
        g.metric("after", sum(x));
    }));
    CHECK(conflict_in_phases(exe) == "");
    exe.run(2);
    const double want[][3] = {{0, 32, 64}, {64, 96, 192}};
    for (int k = 0; k < 2; ++k) {
        for (int m = 0; m < 3; ++m) CHECK(s.metric(m, k) == want[k][m]);
    }
}

TEST_CASE("sources run just before their use, and nothing before the optimizer step it follows") {
    const Device device = Device::cpu(1);
    State s(device);
    ParameterGroup &first = s.add_group("first"), &second = s.add_group("second");
    first.add({"first.w", {16}, Initializer::zeros});
    second.add({"second.w", {16}, Initializer::zeros});
    Program p = record(s, [&](Graph& g) {
        const Tensor noise = g.random_normal("noise", {16});
        g.minimize(mean(square(g.parameter(first, 0) + 1.0)), first);
        g.minimize(mean(square(g.parameter(second, 0) + noise)), second);
    });
    const Schedule scheduled = schedule(p);
    const std::int32_t step = phase_of(p, scheduled, Op::adam_step);
    CHECK(phase_of(p, scheduled, Op::random) >= step - 1);
    CHECK(phase_of(p, scheduled, Op::adam_step, 1) > step);
    for (std::size_t n = 0; n < p.nodes.size(); ++n) {
        const Node& node = p.nodes[n];
        const bool reads_second = node.input_count > 0 &&
                                  p.value(node.inputs[0]).storage == Storage::persistent &&
                                  p.value(node.inputs[0]).buffer == second.parameters();
        if (reads_second) CHECK(scheduled.phase[n] >= step);
    }
}

TEST_CASE("a chain hands its memory on, row by row") {
    const Device device = Device::cpu(2);
    const OpCase c{"products in turn",
                   {{{12, 8}}, {{8, 8}}},
                   [](Graph&, const std::vector<Tensor>& t) {
                       Tensor x = t[0];
                       for (int i = 0; i < 6; ++i) x = linear(x, t[1], {}, Activation::tanh);
                       return x;
                   },
                   {},
                   false};
    const auto values = draw_inputs(c, DType::f32);
    CaseState state(c, device, DType::f32, values);
    Graph g(state.state);
    const Tensor y = state.build(g);
    g.keep(y);
    const ValueId id = y.id();
    Executable exe(state.state, finely(2));
    exe.add(g.finish());
    CHECK(exe.plan().blocks.size() <= 3);  // two in turn, and the one that is kept
    const std::vector<Piece>& pieces = exe.phases(0).front().pieces;
    CHECK(std::count_if(pieces.begin(), pieces.end(),
                        [](const Piece& piece) { return piece.steps.size() == 6; }) == 6);
    CHECK(conflict_in_phases(exe) == "");
    exe.run(1);
    CHECK(same_bits(exe.read(id), eager(c, device, DType::f32, values).forward));
}

TEST_CASE("programs in order are one node after the other") {
    const Device device = Device::cpu(1);
    State s(device);
    const Program p =
        record(s, [&](Graph& g) { g.metric("m", sum(exp(g.random_normal("x", {64})))); });
    const Schedule ordered = in_order(p);
    CHECK(phases_of(ordered) == static_cast<int>(p.nodes.size()));
    CHECK_FALSE(ordered.chained(0, 1));
}

}  // namespace
}  // namespace drydock::test
