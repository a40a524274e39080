// Layer normalisation, embeddings and transformer blocks: names, first values, and that computing
// fewer tokens changes none.
#include "nn/transformer.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "nn/embedding.h"
#include "tests/core/harness.h"

namespace drydock::test {
namespace {

constexpr std::int64_t kSequences = 2, kTokens = 6, kWidth = 8;

const Device& device() {
    static const Device d = Device::cpu(1);
    return d;
}

nn::TransformerBlockSpec small_block(bool gelu) {
    nn::TransformerBlockSpec spec;
    spec.width = kWidth;
    spec.heads = 2;
    spec.hidden = 12;
    spec.gelu = gelu;
    return spec;
}

// Outputs at tokens 1 and 4 of two sequences, and the gradient of all parameters from them.
struct Result {
    Values outputs, gradients;
};

Result run_block(bool gelu, bool all_tokens) {
    State s(device(), DType::f64);
    ParameterGroup& group = s.add_group("block");
    const nn::TransformerBlock block(group, "blocks.0", small_block(gelu));
    group.initialize(4);
    const Values x = draw({kSequences * kTokens, kWidth}, -2, 2, 1);
    const Values mask{1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0};
    Graph g(s, {.eager = true});
    const Tensor input =
        g.buffer(s.add_column("x", {kSequences * kTokens, kWidth}, std::span<const double>(x)));
    const Tensor tokens =
        g.buffer(s.add_column("mask", {kSequences, kTokens}, std::span<const double>(mask)));
    const Tensor y = all_tokens ? every_row(block(input, tokens, nn::Queries{}, false), 1, 3)
                                : block(input, tokens, nn::Queries{1, 3}, false);
    const Values weights = draw(y.shape(), -1, 1, 2);
    const Tensor w = g.buffer(s.add_column("w", y.shape(), std::span<const double>(weights)));
    g.gradients(sum(y * w), group);
    Result r{g.read(y), {}};
    const Buffer& flat = s.buffer(group.gradients());
    const auto* values = static_cast<const double*>(flat.data);
    r.gradients.assign(values, values + flat.shape.size());
    return r;
}

TEST_CASE("a block's parameters have the names of traces, and normalisations start as identities") {
    State s(device());
    ParameterGroup& group = s.add_group("transformer");
    const nn::TransformerBlock block(group, "blocks.0", small_block(true));
    const char* names[] = {"norm1.weight",       "norm1.bias",           "attention.qkv.weight",
                           "attention.qkv.bias", "attention.out.weight", "attention.out.bias",
                           "norm2.weight",       "norm2.bias",           "mlp.0.weight",
                           "mlp.0.bias",         "mlp.1.weight",         "mlp.1.bias"};
    REQUIRE(group.count() == 12);
    for (int i = 0; i < 12; ++i) CHECK(group.spec(i).name == std::string("blocks.0.") + names[i]);
    CHECK(group.spec(2).shape == Shape{3 * kWidth, kWidth});
    CHECK(group.spec(8).shape == Shape{12, kWidth});
    group.initialize(1);
    CHECK(group.read(0) == Values(kWidth, 1.0));
    CHECK(group.read(1) == Values(kWidth, 0.0));
}

TEST_CASE("a block that computes some tokens gives theirs, and the same gradient") {
    for (const bool gelu : {false, true}) {
        const Result all = run_block(gelu, true), some = run_block(gelu, false);
        CHECK(deviation(some.outputs, all.outputs) < 1e-13);
        CHECK(deviation(some.gradients, all.gradients) < 1e-13);
    }
    CHECK(run_block(true, false).outputs != run_block(false, false).outputs);
}

TEST_CASE("heads that do not divide the width are refused") {
    State s(device());
    ParameterGroup& group = s.add_group("block");
    nn::TransformerBlockSpec spec = small_block(true);
    spec.heads = 3;
    CHECK_THROWS_WITH_AS(nn::TransformerBlock(group, "b", spec),
                         doctest::Contains("a width that the heads divide"), Error);
}

TEST_CASE("an embedding starts with its deviation and learns the rows that were asked for") {
    State s(device());
    ParameterGroup& group = s.add_group("table");
    const nn::Embedding table(group, "embed", 400, 5, 0.02);
    group.initialize(2);
    const Values first = group.read(0);
    double square = 0;
    for (const double x : first) square += x * x;
    CHECK(std::fabs(std::sqrt(square / static_cast<double>(first.size())) - 0.02) < 0.002);
    const BufferId rows = s.add_buffer("rows", DType::i64, {3});
    const std::int64_t asked[] = {7, 399, 7};
    std::copy(asked, asked + 3, static_cast<std::int64_t*>(s.buffer(rows).data));
    Graph g(s, {.eager = true});
    const Tensor y = table(g.buffer(rows));
    CHECK(y.shape() == Shape{3, 5});
    CHECK(g.read(y)[0] == first[35]);
    g.gradients(sum(y), group);
    const auto* gradient = static_cast<const float*>(s.buffer(group.gradients()).data);
    CHECK(gradient[35] == 2);
    CHECK(gradient[399 * 5 + 4] == 1);
    CHECK(gradient[0] == 0);
}

}  // namespace
}  // namespace drydock::test
