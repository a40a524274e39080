// Plans of hand-made traps and of random programs.
#include <doctest/doctest.h>

#include <random>

#include "tests/core/harness.h"

namespace drydock::test {
namespace {

const Device& device() {
    static const Device d = Device::cpu(1);
    return d;
}

bool disjoint(const Block& a, const Block& b) {
    return a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
}

// No two blocks that are in use at the same node share a byte.
void check_no_overlap(const Plan& p) {
    for (std::size_t i = 0; i < p.blocks.size(); ++i) {
        CHECK(p.blocks[i].offset + p.blocks[i].bytes <= p.bytes);
        for (std::size_t j = i + 1; j < p.blocks.size(); ++j) {
            const Block &a = p.blocks[i], &b = p.blocks[j];
            const bool together = a.first <= b.last && b.first <= a.last;
            if (together) CHECK(disjoint(a, b));
        }
    }
}

// Random programs over a few inputs: elementwise chains, views, broadcasts, reductions, products.
class RandomProgram {
  public:
    explicit RandomProgram(std::uint32_t seed) : seed_(seed) {}

    Tensor build(Graph& g, const std::vector<Tensor>& inputs) {
        std::mt19937 random(seed_);
        const auto pick = [&](int n) {
            return static_cast<int>(random() % static_cast<unsigned>(n));
        };
        std::vector<Tensor> pool = inputs;  // all (6, 8)
        const int count = 5 + pick(26);
        for (int i = 0; i < count; ++i) {
            const Tensor a = pool[static_cast<std::size_t>(pick(static_cast<int>(pool.size())))];
            const Tensor b = pool[static_cast<std::size_t>(pick(static_cast<int>(pool.size())))];
            pool.push_back(next(pick(13), a, b));
        }
        Tensor out = pool.back();
        for (int i = 0; i < 3; ++i) {
            out = out + pool[static_cast<std::size_t>(pick(static_cast<int>(pool.size())))];
        }
        (void)g;
        return out;
    }

  private:
    static Tensor next(int kind, Tensor a, Tensor b) {
        switch (kind) {
            case 0:
                return a + b;
            case 1:
                return a * tanh(b);
            case 2:
                return tanh(a - b);
            case 3:
                return relu(a) * 0.5;
            case 4:
                return a + mean(b, 0);  // broadcast row
            case 5:
                return b * reshape(mean(a, 1), {6, 1});  // broadcast column
            case 6:
                return concat({slice(a, 1, 4, 8), slice(b, 1, 0, 4)}, 1);  // views into a copy
            case 7:
                return reshape(reshape(a, {8, 6}), {6, 8}) + b;  // view chain
            case 8:
                return pad(slice(a, 0, 1, 4), 0, 2, 6) - b;
            case 9:
                return tanh(matmul(a, matmul(a, b, true)));
            case 10:
                return where(less(a, b), a, b * 0.9);
            case 11:
                return detach(a) * 0.3 + b;
            default:
                return a * slice(tanh(b), 0, 0, 1);  // view as broadcast
        }
    }

    std::uint32_t seed_;
};

TEST_CASE("random programs: blocks in use never overlap, replay equals eager, passes stay close") {
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        RandomProgram random(seed);
        const OpCase c{"random",
                       {{{6, 8}}, {{6, 8}}, {{6, 8}}},
                       [&](Graph& g, const std::vector<Tensor>& t) { return random.build(g, t); },
                       {}};
        const auto values = draw_inputs(c, DType::f32, seed);
        const auto gradients_exist = [&] {
            CaseState s(c, device(), DType::f32, values);
            Graph g(s.state);
            const Tensor y = s.build(g);
            try {
                g.gradients(weighted_sum(g, s, y), s.inputs);
            } catch (const std::exception&) {
                return false;  // an input that the program does not use
            }
            return true;
        };
        OpCase used = c;
        used.differentiable = gradients_exist();
        const ReplayResult want = eager(used, device(), DType::f32, values);
        const ReplayResult got =
            replay(used, device(), DType::f32, values, {.passes = Passes::none()});
        CHECK(same_bits(got.forward, want.forward));
        for (std::size_t i = 0; i < want.gradients.size(); ++i) {
            CHECK(same_bits(got.gradients[i], want.gradients[i]));
        }
        const ReplayResult passed = replay(used, device(), DType::f32, values, {});
        CHECK(deviation(passed.forward, want.forward) < 1e-5);

        CaseState s(used, device(), DType::f32, values);
        Graph g(s.state);
        const Tensor y = s.build(g);
        if (used.differentiable) g.gradients(weighted_sum(g, s, y), s.inputs);
        g.keep(y);
        const Program program = g.finish();
        for (const bool in_place : {false, true})
            check_no_overlap(plan(program, in_order(program), {in_place, true}));
        CHECK(plan(program, in_order(program)).blocks.size() <=
              plan(program, in_order(program), {false, false}).blocks.size());
    }
}

Program record_on(State& s, const std::function<void(Graph&)>& build) { return record(s, build); }

TEST_CASE("an elementwise node overwrites its input at the last use") {
    State s(device());
    const Program p = record_on(s, [](Graph& g) {
        const Tensor x = g.random_normal("x", {64});
        g.metric("m", sum(tanh(exp(x))));
    });
    CHECK(plan(p, in_order(p)).blocks.size() == 2);  // the chain, and the sum
    CHECK(plan(p, in_order(p), {false, true}).blocks.size() == 4);
}

TEST_CASE("an input that is used later is not overwritten") {
    State s(device());
    const Program p = record_on(s, [](Graph& g) {
        const Tensor x = g.random_normal("x", {64});
        const Tensor y = exp(x);
        g.metric("m", sum(y + x));
    });
    CHECK(plan(p, in_order(p)).blocks.size() == 3);
}

TEST_CASE("an input that is also read through a broadcast view is not overwritten") {
    State s(device());
    const OpCase c{"x + its own first row",
                   {{{4, 3}}},
                   [](Graph&, const std::vector<Tensor>& t) {
                       const Tensor x = exp(t[0]);
                       return x + slice(x, 0, 0, 1);
                   },
                   {},
                   false};  // no adjoint may keep x alive
    const auto values = draw_inputs(c, DType::f32);
    CHECK(same_bits(replay(c, device(), DType::f32, values, {}).forward,
                    eager(c, device(), DType::f32, values).forward));
}

TEST_CASE("memory of a view lives as long as the view") {
    State s(device());
    const Program p = record_on(s, [](Graph& g) {
        const Tensor x = exp(g.random_normal("x", {4, 16}));
        const Tensor view = slice(x, 1, 3, 9);
        const Tensor other = exp(g.random_normal("y", {4, 16}));
        g.metric("m", sum(view) + sum(other));
    });
    NodeId read = -1;
    ValueId base = kNone;
    for (std::size_t n = 0; n < p.nodes.size(); ++n) {
        if (p.nodes[n].op == Op::slice) base = p.nodes[n].inputs[0];
        if (p.nodes[n].op == Op::unary && base != kNone && read < 0 &&
            p.root(p.nodes[n].inputs[0]) == base) {
            read = static_cast<NodeId>(n);  // the copy that makes the view contiguous
        }
    }
    REQUIRE(read >= 0);
    const Plan planned = plan(p, in_order(p), {false, true});
    CHECK(planned.blocks[static_cast<std::size_t>(planned.block[static_cast<std::size_t>(base)])]
              .last == read);
    check_no_overlap(planned);
}

TEST_CASE("a kept value survives to the end") {
    State s(device());
    Graph g(s);
    const Tensor x = g.random_normal("x", {64});
    const Tensor y = exp(x);
    g.keep(y);
    Tensor z = y;
    for (int i = 0; i < 5; ++i) z = tanh(z);
    g.metric("m", sum(z));
    const ValueId id = y.id();
    const ValueId source = x.id();
    Program p = g.finish();
    p.value(source).output = true;
    Executable exe(s);
    exe.add(p);
    exe.run(1);
    Values want;
    for (double v : exe.read(source)) want.push_back(std::exp(v));
    CHECK(deviation(exe.read(id), want) < 1e-6);
}

}  // namespace
}  // namespace drydock::test
