// Modules: names, shapes, and what they compute.
#include <doctest/doctest.h>

#include "base/error.h"
#include "nn/dropout.h"
#include "nn/gaussian_actor.h"
#include "nn/squashed_gaussian_actor.h"
#include "nn/state_action_critic.h"
#include "nn/twin_critic.h"
#include "tests/core/harness.h"

namespace drydock::test {
namespace {

const Device& device() {
    static const Device d = Device::cpu(1);
    return d;
}

TEST_CASE("an mlp names its parameters as traces and checkpoints do") {
    State s(device());
    ParameterGroup& group = s.add_group("critics");
    nn::MlpSpec spec;
    spec.layer_sizes = {5, 8, 7, 1};
    const nn::ScalarMlp q(group, "q1", spec);
    const char* names[] = {"q1.layers.0.weight", "q1.layers.0.bias",   "q1.layers.1.weight",
                           "q1.layers.1.bias",   "q1.layers.2.weight", "q1.layers.2.bias"};
    REQUIRE(group.count() == 6);
    for (int i = 0; i < 6; ++i) CHECK(group.spec(i).name == names[i]);
    CHECK(group.spec(2).shape == Shape{7, 8});
    Graph g(s);
    CHECK(q(fill(g, {4, 5}, 1.0)).shape() == Shape{4});
}

TEST_CASE("layer sizes that make no network are refused") {
    State s(device());
    ParameterGroup& group = s.add_group("net");
    const auto make = [&](std::vector<std::int64_t> sizes) {
        nn::MlpSpec spec;
        spec.layer_sizes = std::move(sizes);
        nn::ScalarMlp(group, "v", spec);
    };
    CHECK_THROWS_AS(make({5}), Error);
    CHECK_THROWS_AS(make({5, 0, 1}), Error);
    CHECK_THROWS_WITH_AS(make({5, 4, 2}), doctest::Contains("end in 1"), Error);
}

TEST_CASE("first values by name: weights, gains and biases") {
    const auto values = [](const char* name) {
        State s(device());
        ParameterGroup& group = s.add_group("net");
        nn::MlpSpec spec;
        spec.layer_sizes = {6, 12, 6};
        nn::set_initializer(spec, name);
        const nn::Mlp net(group, "net", spec);
        group.initialize(2);
        return std::pair{group.read(0), group.read(1)};
    };
    CHECK(values("pytorch_default").second[3] != 0.0);
    CHECK(values("orthogonal").second == Values(12, 0.0));
    CHECK(values("xavier").second == Values(12, 0.0));
    double column = 0;  // the columns of a tall orthogonal matrix have the length of the gain
    for (std::size_t i = 0; i < 12; ++i) column += std::pow(values("orthogonal").first[i * 6], 2);
    CHECK(column == doctest::Approx(2.0).epsilon(1e-5));
    CHECK_THROWS_WITH_AS(values("ortogonal"), doctest::Contains("orthogonal"), Error);
}

TEST_CASE("a Gaussian actor has a tanh mean and a clamped deviation") {
    State s(device(), DType::f64);
    ParameterGroup& group = s.add_group("actor");
    nn::MlpSpec spec;
    spec.layer_sizes = {3, 6, 2};
    const nn::GaussianActor actor(group, "actor", spec, -1.0, 2.0);
    group.initialize(4);
    CHECK(group.spec(4).name == "actor.log_std");
    CHECK(group.read(4) == Values{0.0, 0.0});
    group.write(4, Values{-5.0, 0.5});

    const Values o = draw({7, 3}, -3, 3, 1), a = draw({7, 2}, -1, 1, 2);
    const BufferId observations = s.add_column("o", {7, 3}, std::span<const double>(o));
    const BufferId actions = s.add_column("a", {7, 2}, std::span<const double>(a));
    Graph g(s, {.eager = true});
    const Values mean = g.read(actor.mean(g.buffer(observations)));
    const Values log_prob = g.read(actor.log_prob(g.buffer(observations), g.buffer(actions)));
    const Values w0 = group.read(0), b0 = group.read(1), w1 = group.read(2), b1 = group.read(3);
    for (std::size_t n = 0; n < 7; ++n) {
        double want = 0;
        for (std::size_t j = 0; j < 2; ++j) {
            double out = b1[j];
            for (std::size_t k = 0; k < 6; ++k) {
                double h = b0[k];
                for (std::size_t i = 0; i < 3; ++i) h += o[n * 3 + i] * w0[k * 3 + i];
                out += std::max(h, 0.0) * w1[j * 6 + k];
            }
            CHECK(mean[n * 2 + j] == doctest::Approx(std::tanh(out)).epsilon(1e-12));
            const double log_std = j == 0 ? -1.0 : 0.5;  // -5 is below the floor
            const double z = (a[n * 2 + j] - std::tanh(out)) / std::exp(log_std);
            want += -0.5 * z * z - log_std - 0.5 * std::log(2 * 3.14159265358979323846);
        }
        CHECK(log_prob[n] == doctest::Approx(want).epsilon(1e-12));
    }
}

TEST_CASE("dropout zeroes its share of the units and scales the others") {
    State s(device(), DType::f64);
    const Values x = draw({200, 50}, 0.5, 2.0, 3);
    const BufferId id = s.add_column("x", {200, 50}, std::span<const double>(x));
    for (const double rate : {0.1, 0.5}) {
        Graph g(s, {.eager = true});
        const Values y = g.read(nn::dropout(g.buffer(id), rate, "net.dropout"));
        double dropped = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            dropped += y[i] == 0.0 ? 1 : 0;
            if (y[i] != 0.0) CHECK(y[i] == doctest::Approx(x[i] / (1 - rate)).epsilon(1e-14));
        }
        // Four standard deviations of 10000 draws.
        CHECK(std::fabs(dropped / 10000 - rate) < 4 * std::sqrt(rate * (1 - rate) / 10000));
    }
}

TEST_CASE("dropout masks follow the stream's name and the step, and rate 0 records nothing") {
    State s(device());
    s.counters().seed = 3;
    const auto mask = [&](const char* stream, std::int64_t step) {
        s.counters().step = step;
        Graph g(s, {.eager = true});
        return g.read(nn::dropout(fill(g, {30, 8}, 1.0), 0.5, stream));
    };
    CHECK(mask("a", 0) == mask("a", 0));
    CHECK(mask("a", 0) != mask("b", 0));
    CHECK(mask("a", 0) != mask("a", 1));
    Graph g(s);
    const Tensor x = fill(g, {2, 3}, 1.0);
    const std::size_t nodes = g.program().nodes.size();
    CHECK(nn::dropout(x, 0.0, "a").id() == x.id());
    CHECK(g.program().nodes.size() == nodes);
    CHECK_THROWS_WITH_AS(nn::dropout(x, 1.0, "a"), doctest::Contains("[0, 1)"), Error);
}

TEST_CASE("an mlp drops hidden units while it trains, each layer by a stream of its own") {
    State s(device(), DType::f64);
    ParameterGroup& group = s.add_group("net");
    nn::MlpSpec spec;
    spec.layer_sizes = {3, 4, 5, 2};
    spec.dropout = 0.25;
    const nn::Mlp net(group, "net", spec);
    group.initialize(6);
    // Masks by injected draws: of the first layer every unit is kept, of the second every one goes.
    s.inject_stream("net.layers.0.dropout",
                    s.add_column("kept", {1, 7, 4}, std::span<const double>(Values(28, 0.25))));
    s.inject_stream("net.layers.1.dropout",
                    s.add_column("gone", {1, 7, 5}, std::span<const double>(Values(35, 0.24))));
    const Values x = draw({7, 3}, -1, 1, 2);
    const BufferId id = s.add_column("x", {7, 3}, std::span<const double>(x));
    Graph g(s, {.eager = true});
    const Values trained = g.read(net.train(g.buffer(id))), acted = g.read(net(g.buffer(id)));
    const Values bias = group.read(5);
    for (std::size_t i = 0; i < trained.size(); ++i) CHECK(trained[i] == bias[i % 2]);
    CHECK(acted != trained);
}

TEST_CASE("a twin critic takes the smaller of two values") {
    State s(device(), DType::f64);
    ParameterGroup& group = s.add_group("critics");
    nn::MlpSpec spec;
    spec.layer_sizes = {3, 4, 1};
    const nn::TwinCritic critics(group, "_target", spec, spec);
    group.initialize(6);
    CHECK(group.spec(0).name == "q1_target.layers.0.weight");
    CHECK(group.spec(4).name == "q2_target.layers.0.weight");
    const Values x = draw({40, 3}, -1, 1, 2);
    const BufferId id = s.add_column("x", {40, 3}, std::span<const double>(x));
    Graph g(s, {.eager = true});
    const Values q1 = g.read(critics.q1(g.buffer(id))), q2 = g.read(critics.q2(g.buffer(id)));
    const Values smaller = g.read(critics.smaller(g.buffer(id)));
    int first = 0;
    for (std::size_t i = 0; i < 40; ++i) {
        CHECK(smaller[i] == std::min(q1[i], q2[i]));
        first += q1[i] < q2[i] ? 1 : 0;
    }
    CHECK(first > 0);
    CHECK(first < 40);
}

// The plain network of the same parameters on every (state, action) pair, states repeated.
TEST_CASE("a critic that encodes states once has the values and gradients of the plain network") {
    constexpr std::int64_t kStates = 3, kEach = 4, kS = 5, kA = 2;
    for (const bool encoded : {true, false}) {
        static std::vector<Values> plain;
        State s(device(), DType::f64);
        ParameterGroup& group = s.add_group("critics");
        ParameterGroup& input = s.add_group("actions");
        input.add({"actions", {kStates, kEach, kA}, Initializer::zeros});
        nn::MlpSpec spec;
        spec.layer_sizes = {kS + kA, 8, 6, 1};
        const nn::StateActionCritic q(group, "q1", spec, kA);
        State other(device(), DType::f64);
        const nn::ScalarMlp same_names(other.add_group("critics"), "q1", spec);
        for (int i = 0; i < group.count(); ++i) {
            CHECK(group.spec(i).name == other.groups().front().spec(i).name);
        }
        const nn::ScalarMlp mlp(group, "plain", spec);
        group.initialize(3);
        for (int i = 0; i < 6; ++i) group.write(i + 6, group.read(i));
        input.write(0, draw({kStates, kEach, kA}, -1, 1, 5));
        const BufferId id = s.add_column("o", {kStates, kS},
                                         std::span<const double>(draw({kStates, kS}, -2, 2, 6)));
        const BufferId weights = s.add_column(
            "w", {kStates, kEach}, std::span<const double>(draw({kStates, kEach}, -1, 1, 7)));
        Graph g(s, {.eager = true});
        const Tensor o = g.buffer(id), a = g.parameter(input, 0);
        const Tensor states = broadcast_to(reshape(o, {kStates, 1, kS}), {kStates, kEach, kS});
        const Tensor pairs = reshape(concat({copy(states), a}, 2), {kStates * kEach, kS + kA});
        const Tensor slow = reshape(mlp(pairs), {kStates, kEach});
        const Tensor fast = q(q.encode(o), a);
        // Both are in the loss, so that every parameter is; one is held at weight zero.
        const Tensor loss =
            sum(g.buffer(weights) * (encoded ? fast + 0.0 * slow : slow + 0.0 * fast));
        g.gradients(loss, group);
        g.gradients(loss, input);
        std::vector<Values> got{g.read(encoded ? fast : slow)};
        const double* all = static_cast<const double*>(s.buffer(group.gradients()).data);
        for (int i = 0; i < 6; ++i) {
            const std::int64_t at = group.offset(encoded ? i : i + 6);
            got.emplace_back(all + at, all + at + group.spec(i).shape.size());
        }
        const double* actions = static_cast<const double*>(s.buffer(input.gradients()).data);
        got.emplace_back(actions, actions + kStates * kEach * kA);
        if (encoded) {
            plain = got;
            continue;
        }
        REQUIRE(got.size() == plain.size());
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(deviation(plain[i], got[i]) < 1e-13);
    }
}

TEST_CASE("no state is repeated in memory for its actions") {
    State s(device());
    ParameterGroup& group = s.add_group("critics");
    nn::MlpSpec spec;
    spec.layer_sizes = {40 + 2, 8, 1};
    const nn::StateActionCritic q(group, "q1", spec, 2);
    Graph g(s);
    const Tensor o = fill(g, {6, 40}, 1.0);
    g.gradients(sum(q(q.encode(o), fill(g, {6, 30, 2}, 0.5))), group);
    for (const Value& v : g.program().values) {
        if (v.storage != Storage::planned) continue;
        CHECK(v.shape.size() <= 6 * 30 * 8);  // below 6 * 30 * 40
    }
    CHECK_THROWS_WITH_AS(q(q.encode(o), fill(g, {5, 30, 2}, 0.5)), doctest::Contains("(5, 30, 2)"),
                         Error);
}

struct Squashed {
    State s{device(), DType::f64};
    ParameterGroup& group = s.add_group("actor");
    nn::SquashedGaussianActor actor;

    static nn::SquashedGaussianSpec spec(nn::TanhLogDensity density) {
        nn::SquashedGaussianSpec out;
        out.mlp.layer_sizes = {3, 6, 4};
        out.log_std_offset = -1.0;
        out.density = density;
        return out;
    }
    explicit Squashed(nn::TanhLogDensity density) : actor(group, group, "actor", spec(density)) {
        group.initialize(8);
    }
    Tensor column(Graph& g, const char* name, const Shape& shape, double size, std::uint64_t seed) {
        return g.buffer(
            s.add_column(name, shape, std::span<const double>(draw(shape, -size, size, seed))));
    }
};

TEST_CASE("a squashed Gaussian's samples have the density of the change of variables") {
    for (const auto density : {nn::TanhLogDensity::exact, nn::TanhLogDensity::epsilon}) {
        Squashed m(density);
        CHECK(m.group.read(5) == Values{-1.0});
        CHECK(m.group.spec(4).name == "actor.log_std_multiplier");
        Graph g(m.s, {.eager = true});
        const auto head = m.actor.head(m.column(g, "o", {5, 3}, 2, 1));
        const Tensor noise = m.column(g, "n", {5, 2}, 2, 2);
        const auto sample = m.actor.sample(head, noise);
        const Values mean = g.read(head.mean), log_std = g.read(head.log_std), z = g.read(noise);
        const Values a = g.read(sample.actions), got = g.read(sample.log_prob);
        const double epsilon = density == nn::TanhLogDensity::exact ? 0.0 : 1e-6;
        for (std::size_t n = 0; n < 5; ++n) {
            double want = 0;
            for (std::size_t j = 2 * n; j < 2 * n + 2; ++j) {
                const double u = mean[j] + std::exp(log_std[j]) * z[j];
                CHECK(a[j] == doctest::Approx(std::tanh(u)).epsilon(1e-14));
                want += -0.5 * z[j] * z[j] - log_std[j] - 0.5 * std::log(2 * std::acos(-1.0)) -
                        std::log(1 - std::tanh(u) * std::tanh(u) + epsilon);
            }
            CHECK(got[n] == doctest::Approx(want).epsilon(1e-10));
        }
        // Scoring the very actions gives their density: the argument is not ignored.
        CHECK(deviation(g.read(m.actor.log_prob(head, sample.actions)), got) < 1e-8);
        CHECK(deviation(g.read(m.actor.log_prob(head, -sample.actions)), got) > 1e-2);
        // Actions at the bounds have a finite density.
        const Tensor bounds = fill(g, {5, 2}, 1.0);
        for (const double x : g.read(m.actor.log_prob(head, bounds))) CHECK(std::isfinite(x));
    }
}

TEST_CASE("many samples of one distribution are those of single draws") {
    Squashed m(nn::TanhLogDensity::exact);
    Graph g(m.s, {.eager = true});
    const auto head = m.actor.head(m.column(g, "o", {4, 3}, 2, 1));
    const Tensor noise = m.column(g, "n", {4, 3, 2}, 2, 2);
    const auto many = m.actor.sample(head, noise);
    CHECK(many.log_prob.shape() == Shape{4, 3});
    for (std::int64_t i = 0; i < 3; ++i) {
        const auto one = m.actor.sample(head, reshape(slice(noise, 1, i, i + 1), {4, 2}));
        CHECK(g.read(one.log_prob) == g.read(slice(many.log_prob, 1, i, i + 1)));
        CHECK(g.read(one.actions) == g.read(slice(many.actions, 1, i, i + 1)));
    }
}

}  // namespace
}  // namespace drydock::test
