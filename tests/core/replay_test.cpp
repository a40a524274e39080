// The rules that make replay right (docs/design.md), one test each.
#include <doctest/doctest.h>

#include "base/error.h"
#include "tests/core/harness.h"
#include "tests/core/regression.h"

namespace drydock::test {
namespace {

TEST_CASE(
    "what changes between replays lives in device memory: 100 replays equal 100 eager updates") {
    Regression replayed(DType::f32), eager(DType::f32);
    for (Regression* r : {&replayed, &eager}) {
        r->set_schedule(kernels::Schedule::cosine, 100.0);
    }
    replayed.replay(100);
    for (int i = 0; i < 100; ++i) eager.eager_update();
    CHECK(same_bits(replayed.parameters(), eager.parameters()));
    CHECK(replayed.state.counters().step == 100);
    CHECK(replayed.state.metric(0, 99) == eager.state.metric(0, 99));
}

TEST_CASE("replay in chunks equals replay at once") {
    Regression once(DType::f32), chunks(DType::f32);
    once.replay(50);
    for (int n : {1, 2, 7, 40}) chunks.replay(n);
    CHECK(same_bits(once.parameters(), chunks.parameters()));
}

TEST_CASE("the host may overwrite hyper fields between replays") {
    Regression r(DType::f32);
    r.replay(3);
    const Values before = r.parameters();
    r.hyper().learning_rate = 0.0;
    r.replay(3);
    CHECK(same_bits(before, r.parameters()));
    r.hyper().learning_rate = 1e-2;
    r.replay(1);
    CHECK_FALSE(same_bits(before, r.parameters()));
}

TEST_CASE("the data set may grow between replays: its size lives in the hyper block") {
    Regression r(DType::f32);
    State& s = r.state;
    const BufferId drawn = s.add_buffer("drawn", DType::i64, {64});
    Executable exe(s);
    exe.add(record(s, [&](Graph& g) { store(g.random_rows("rows", 64), g.buffer(drawn)); }));
    const auto largest = [&] {
        exe.run(1);
        const auto* rows = static_cast<const std::int64_t*>(s.buffer(drawn).data);
        return *std::max_element(rows, rows + 64);
    };
    s.counters().dataset_size = 3;
    CHECK(largest() == 2);
    s.counters().dataset_size = 1000;
    CHECK(largest() > 100);
}

TEST_CASE("random draws differ in every replay, and eager and replay agree on them") {
    Regression a(DType::f32), b(DType::f32);
    std::vector<Values> seen;
    Executable exe(a.state);
    Graph g(a.state);
    const Tensor x = g.random_normal("noise", {9});
    g.keep(x);
    const ValueId id = x.id();
    exe.add(g.finish());
    for (int k = 0; k < 3; ++k) {
        exe.run(1);
        seen.push_back(exe.read(id));
        Graph e(b.state, {.eager = true});
        CHECK(same_bits(e.read(e.random_normal("noise", {9})), seen.back()));
        e.finish();
    }
    CHECK_FALSE(same_bits(seen[0], seen[1]));
    CHECK_FALSE(same_bits(seen[1], seen[2]));
}

TEST_CASE("a stream is its name: other draws in the program change nothing") {
    Regression a(DType::f32);
    Graph one(a.state, {.eager = true});
    const Values alone = one.read(one.random_uniform("policy", {5}, -1.0, 1.0));
    Graph two(a.state, {.eager = true});
    two.random_normal("other", {100});
    CHECK(same_bits(two.read(two.random_uniform("policy", {5}, -1.0, 1.0)), alone));
    a.state.counters().seed += 1;
    Graph three(a.state, {.eager = true});
    CHECK_FALSE(same_bits(three.read(three.random_uniform("policy", {5}, -1.0, 1.0)), alone));
}

TEST_CASE("an injected stream replays recorded draws, row by row") {
    Regression r(DType::f32);
    State& s = r.state;
    const Values table{1, 2, 3, 4, 5, 6};
    s.inject_stream("noise", s.add_column("table", {3, 2}, std::span<const double>(table)));
    Graph g(s);
    const Tensor x = g.random_normal("noise", {2});
    g.keep(x);
    const ValueId id = x.id();
    Executable exe(s);
    exe.add(g.finish());
    for (std::size_t k = 0; k < 3; ++k) {
        exe.run(1);
        CHECK(same_bits(exe.read(id), {table[2 * k], table[2 * k + 1]}));
    }
    exe.run(1);  // past the recorded draws: NaN, not another row
    CHECK(std::isnan(exe.read(id)[0]));
    CHECK_THROWS_AS(Graph(s).random_normal("noise", {3}), Error);
}

TEST_CASE("steps that differ are several programs over the same memory, chosen by a schedule") {
    Regression r(DType::f32);
    State& s = r.state;
    const BufferId every = s.add_buffer("every", DType::f32, {});
    const BufferId third = s.add_buffer("third", DType::f32, {});
    const auto increment = [](Graph& g, BufferId id) { store(g.buffer(id) + 1.0, g.buffer(id)); };
    Executable exe(s);
    const std::size_t short_step = exe.add(record(s, [&](Graph& g) { increment(g, every); }));
    const std::size_t long_step = exe.add(record(s, [&](Graph& g) {
        increment(g, every);
        increment(g, third);
    }));
    exe.set_schedule([=](std::int64_t k) { return (k + 1) % 3 == 0 ? long_step : short_step; });
    exe.run(10);
    CHECK(*static_cast<float*>(s.buffer(every).data) == 10.0F);
    CHECK(*static_cast<float*>(s.buffer(third).data) == 3.0F);
}

TEST_CASE("a backward pass that would read an overwritten parameter is an error while recording") {
    Regression r(DType::f32);
    Graph g(r.state);
    const Tensor loss = r.loss(g);
    g.minimize(loss, r.group);
    CHECK_THROWS_WITH_AS(g.gradients(loss, r.group), doctest::Contains("overwritten"), Error);
    // The same loss formed again reads the new parameters and is fine.
    g.gradients(r.loss(g), r.group);
}

TEST_CASE("rule 3 sees every way in which a parameter is read") {
    using T = std::vector<Tensor>;
    const Builder ways[] = {
        [](Graph&, const T& t) { return sum(square(t[0])); },
        [](Graph&, const T& t) {
            return sum(square(reshape(t[0], {3, 1})));
        },
        [](Graph&, const T& t) {
            return sum(square(broadcast_to(t[0], {4, 3})));
        },
        [](Graph&, const T& t) { return sum(square(slice(t[0], 0, 1, 3))); },
        [](Graph& g, const T& t) {
            const Tensor x = fill(g, {5, 3}, 0.5);
            return sum(gaussian_log_prob(x * t[0], t[0], x));
        },
    };
    for (const Builder& way : ways) {
        const OpCase c{"way", {{{3}}}, way, {}};
        const Device device = Device::cpu(1);
        CaseState s(c, device, DType::f32, {{0.1, 0.2, 0.3}});
        Graph g(s.state);
        const Tensor loss = s.build(g);
        g.minimize(loss, s.inputs);
        CHECK_THROWS_WITH_AS(g.gradients(loss, s.inputs), doctest::Contains("overwritten"), Error);
    }
}

TEST_CASE("a whole buffer and its only parameter may be read in one program") {
    const Device device = Device::cpu(1);
    State s(device);
    ParameterGroup &a = s.add_group("a"), &b = s.add_group("b", false);
    a.add({"w", {16}, Initializer::ones});
    b.add({"w.target", {16}, Initializer::ones});
    a.initialize(1);
    b.initialize(1);
    Executable exe(s);
    exe.add(record(s, [&](Graph& g) {
        g.polyak(a, b, 0.5);
        g.gradients(sum(square(g.parameter(a, 0))), a);
    }));
    exe.run(1);
    CHECK(static_cast<float*>(s.buffer(a.gradients()).data)[15] == 2.0F);
}

// What several stores leave in their buffers, eagerly and replayed with and without placement.
void check_stores(const std::function<void(Graph&, const std::vector<BufferId>&)>& build) {
    std::vector<Values> seen;
    for (const int mode : {0, 1, 2}) {
        const Device device = Device::cpu(1);
        State s(device);
        std::vector<BufferId> ids;
        for (int i = 0; i < 3; ++i) {
            const Values v{1.0 + 10 * i, 2.0 + 10 * i, 3.0 + 10 * i, 4.0 + 10 * i};
            ids.push_back(s.add_column(std::string(1, static_cast<char>('a' + i)), {4},
                                       std::span<const double>(v)));
        }
        const auto run = [&](Graph& g) { build(g, ids); };
        if (mode == 0) {
            record(s, run, {.eager = true});
        } else {
            Executable exe(s, {.plan = {true, mode == 2}});
            exe.add(record(s, run));
            exe.run(1);
        }
        Values all;
        for (const BufferId id : ids) {
            const auto* p = static_cast<const float*>(s.buffer(id).data);
            all.insert(all.end(), p, p + 4);
        }
        seen.push_back(all);
    }
    CHECK(same_bits(seen[1], seen[0]));
    CHECK(same_bits(seen[2], seen[0]));
}

TEST_CASE("a value is not computed in its destination where somebody else is") {
    using Ids = std::vector<BufferId>;
    SUBCASE("the destination is read between") {
        check_stores([](Graph& g, const Ids& b) {
            const Tensor v = g.buffer(b[0]) * 2.0;
            store(g.buffer(b[1]) + 1.0, g.buffer(b[2]));
            store(v, g.buffer(b[1]));
        });
    }
    SUBCASE("another value was placed there and is read later") {
        check_stores([](Graph& g, const Ids& b) {
            const Tensor w = g.buffer(b[0]) * 2.0;
            store(w, g.buffer(b[1]));
            const Tensor v = g.buffer(b[0]) * 100.0;
            const Tensor u = w + 1.0;
            store(v, g.buffer(b[1]));
            store(u, g.buffer(b[2]));
        });
    }
    SUBCASE("the value is made from one that was placed there") {
        check_stores([](Graph& g, const Ids& b) {
            const Tensor w = g.buffer(b[0]) * 1.0;
            store(w, g.buffer(b[1]));
            store(concat({slice(w, 0, 2, 4), slice(w, 0, 0, 2)}, 0), g.buffer(b[1]));
        });
    }
    SUBCASE("the destination has gaps") {
        check_stores([](Graph& g, const Ids& b) {
            const Tensor column = slice(reshape(g.buffer(b[1]), {2, 2}), 1, 1, 2);
            store(fill(g, {2, 1}, 7.0), column);
        });
    }
    SUBCASE("the gaps of one destination hold another") {
        check_stores([](Graph& g, const Ids& b) {
            const Tensor grid = reshape(g.buffer(b[1]), {2, 2});
            const Tensor row = fill(g, {1, 2}, 5.0) * 2.0;
            store(sum(slice(grid, 1, 0, 1), 1), slice(g.buffer(b[2]), 0, 0, 2));
            store(row, slice(reshape(g.buffer(b[1]), {2, 2}), 0, 1, 2));
        });
    }
    SUBCASE("the source overlaps the destination") {
        check_stores([](Graph& g, const Ids& b) {
            const Tensor grid = reshape(g.buffer(b[1]), {2, 2});
            store(broadcast_to(slice(grid, 0, 0, 1), {2, 2}), grid);
        });
    }
}

TEST_CASE("memory never moves: buffers added later leave earlier addresses alone") {
    Regression r(DType::f32);
    const void* before = r.state.buffer(r.group.parameters()).data;
    for (int i = 0; i < 100; ++i) {
        r.state.add_buffer("extra" + std::to_string(i), DType::f32, {100000});
    }
    CHECK(r.state.buffer(r.group.parameters()).data == before);
    r.replay(2);
    CHECK(std::isfinite(r.state.metric(0, 1)));
}

TEST_CASE("a gradient is computed where it is stored, and nowhere else") {
    Regression r(DType::f32);
    const Program p = record(r.state, [&](Graph& g) { g.minimize(r.loss(g), r.group); });
    Executable exe(r.state);
    exe.add(p);
    int placed = 0;
    for (const ValueId v : exe.plan().placed) placed += v != kNone;
    CHECK(placed == r.group.count());
}

TEST_CASE("the result does not depend on the number of threads") {
    Regression one(DType::f32, 1), two(DType::f32, 2), five(DType::f32, 5);
    for (Regression* r : {&one, &two, &five}) r->replay(30);
    CHECK(same_bits(one.parameters(), two.parameters()));
    CHECK(same_bits(one.parameters(), five.parameters()));
}

TEST_CASE("each pass by itself keeps every bit of a relu network on the portable path") {
    const auto run = [](Passes passes) {
        Regression r(DType::f32, 1, "portable");
        r.replay(20, {.passes = passes});
        Values v = r.parameters();
        const Values t = r.targets();
        v.insert(v.end(), t.begin(), t.end());
        return v;
    };
    const Values plain = run(Passes::none());
    CHECK(same_bits(run({true, false, false, false}), plain));
    CHECK(same_bits(run({false, true, false, false}), plain));
    CHECK(same_bits(run({false, false, true, false}), plain));
    CHECK(same_bits(run({}), plain));
}

TEST_CASE("the passes find what they are for") {
    Regression r(DType::f32);
    Program p = record(r.state, [&](Graph& g) { r.update(g); });
    CHECK(fuse_activation_gradient(p) == 1);
    CHECK(fuse_adam_polyak(p) == 1);
    CHECK(remove_dead(p) > 0);  // the gradient of the data is not needed
}

// Three layers over rows enough to pack weights for; the middle one serves two products.
struct Wide {
    explicit Wide(const Device& device) : state(device), group(state.add_group("net")) {
        group.add({"0", {40, 20}, Initializer::pytorch_default});
        group.add({"1", {40, 40}, Initializer::pytorch_default});
        group.add({"2", {13, 40}, Initializer::pytorch_default});
        group.initialize(5);
        x = state.add_column("x", {1030, 20}, std::span<const double>(draw({1030, 20}, -1, 1, 1)));
    }
    void update(Graph& g) {
        Tensor h = linear(g.buffer(x), g.parameter(group, 0), {}, Activation::relu);
        h = linear(h, g.parameter(group, 1), {}, Activation::relu);
        h = linear(h, g.parameter(group, 1), {}, Activation::relu);
        g.minimize(mean(square(linear(h, g.parameter(group, 2), {}))), group);
        g.metric("after", sum(linear(h, g.parameter(group, 2), {})));
    }
    Values parameters() {
        Values all;
        for (int i = 0; i < group.count(); ++i) {
            for (const double v : group.read(i)) all.push_back(v);
        }
        return all;
    }

    State state;
    ParameterGroup& group;
    BufferId x;
};

TEST_CASE("weights are packed once for what reads them until they are stepped, bit for bit") {
    for (const char* isa : {"portable", ""}) {
        for (const int threads : {1, 3}) {
            const Device device = Device::cpu(threads, isa);
            Wide packed(device), plain(device);
            Executable with(packed.state), without(plain.state, {.passes = Passes::none()});
            with.add(record(packed.state, [&](Graph& g) { packed.update(g); }));
            without.add(record(plain.state, [&](Graph& g) { plain.update(g); }));
            with.run(5);
            without.run(5);
            CHECK(same_bits(packed.parameters(), plain.parameters()));
            CHECK(packed.state.metric(0, 4) == plain.state.metric(0, 4));
            int packs = 0;
            for (const Node& n : with.program().nodes) packs += n.op == Op::pack_weights;
            // Forward: three, and the last again after the step; gradients: layer 1 and 2.
            CHECK(packs == 6);
        }
    }
}

TEST_CASE("fuse_adam_polyak leaves a target alone that is read in between") {
    Regression r(DType::f32);
    Program p = record(r.state, [&](Graph& g) {
        g.minimize(r.loss(g), r.group);
        g.metric("target", sum(g.parameter(r.target_group, 0)));
        g.polyak(r.group, r.target_group, 0.1);
    });
    CHECK(fuse_adam_polyak(p) == 0);
}

TEST_CASE("fuse_adam_polyak leaves a step alone that is followed by another before the average") {
    Regression r(DType::f32);
    Program p = record(r.state, [&](Graph& g) {
        g.minimize(r.loss(g), r.group);
        g.minimize(r.loss(g), r.group);
        g.polyak(r.group, r.target_group, 0.1);
    });
    CHECK(fuse_adam_polyak(p) == 1);
    int fused = 0;
    for (const Node& node : p.nodes) {
        if (node.op == Op::adam_step && node.input_count == 6)
            fused = static_cast<int>(&node - p.nodes.data());
    }
    for (std::size_t n = static_cast<std::size_t>(fused) + 1; n < p.nodes.size(); ++n) {
        CHECK(p.nodes[n].op != Op::adam_step);  // the second step took the target
    }
}

TEST_CASE("fuse_activation_gradient leaves a kept value alone") {
    const Device device = Device::cpu(1);
    State s(device);
    ParameterGroup& group = s.add_group("net");
    group.add({"w0", {4, 3}, Initializer::xavier});
    group.add({"w1", {2, 4}, Initializer::xavier});
    const auto build = [&](bool keep, Activation activation) {
        Graph g(s);
        const Tensor h = linear(fill(g, {5, 3}, 0.5), g.parameter(group, 0), {}, activation);
        g.gradients(sum(square(linear(h, g.parameter(group, 1), {}))), group);
        Program p = g.finish();
        for (const Node& node : p.nodes) {
            if (keep && node.op == Op::linear_input_gradient)
                p.value(node.outputs[0]).output = true;
        }
        return p;
    };
    for (Activation activation : {Activation::relu, Activation::tanh, Activation::gelu}) {
        Program free = build(false, activation), kept = build(true, activation);
        CHECK(fuse_activation_gradient(free) == 1);
        CHECK(fuse_activation_gradient(kept) == 0);
    }
}

TEST_CASE("the clip of a group is fixed once a step was recorded") {
    Regression r(DType::f32);
    r.replay(1);
    OptimizerSettings o = r.group.optimizer();
    o.gradient_clip = 1.0;
    CHECK_THROWS_WITH_AS(r.group.set_optimizer(o), doctest::Contains("gradient_clip"), Error);
}

TEST_CASE("check_numerics names the first node that gave a non-finite value") {
    Regression r(DType::f32);
    State& s = r.state;
    Executable exe(s, {.check_numerics = true});
    exe.add(record(s, [&](Graph& g) {
        const Graph::Label label(g, "here");
        g.metric("x", sum(log(fill(g, {3}, 1.0) - 2.0)));
    }));
    CHECK_THROWS_WITH_AS(exe.run(1), doctest::Contains("log here"), Error);
}

TEST_CASE("a value that was not kept cannot be read after its memory was reused") {
    Regression r(DType::f32);
    Graph g(r.state);
    const Tensor x = g.random_normal("noise", {3});
    g.metric("sum", sum(x));
    Executable exe(r.state);
    exe.add(g.finish());
    exe.run(1);
    CHECK_THROWS_AS(exe.read(x.id()), Error);
    CHECK_THROWS_WITH_AS(g.read(x), doctest::Contains("eager"), Error);
}

TEST_CASE("global-norm clipping follows PyTorch's rule") {
    Regression clipped(DType::f64), free(DType::f64);
    OptimizerSettings o = clipped.group.optimizer();
    o.gradient_clip = 1e-3;
    clipped.group.set_optimizer(o);
    clipped.replay(1);
    free.replay(1);
    const auto gradient = [](Regression& r) {
        const Buffer& b = r.state.buffer(r.group.gradients());
        const auto* g = static_cast<const double*>(b.data);
        return Values(g, g + b.shape.size());
    };
    Values want = gradient(free);
    double norm = 0;
    for (double x : want) norm += x * x;
    for (double& x : want) x *= 1e-3 / (std::sqrt(norm) + 1e-6);
    CHECK(deviation(gradient(clipped), want) < 1e-12);
}

}  // namespace
}  // namespace drydock::test
