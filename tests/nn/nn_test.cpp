// Modules: names, shapes, and what they compute.
#include <doctest/doctest.h>

#include "base/error.h"
#include "nn/gaussian_actor.h"
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

}  // namespace
}  // namespace drydock::test
