#include "nn/transformer.h"

#include <fmt/format.h>

#include "base/error.h"
#include "nn/dropout.h"

namespace drydock::nn {
namespace {

Linear::Spec layer(const TransformerBlockSpec& spec, std::int64_t in, std::int64_t out,
                   Activation activation = Activation::none) {
    return {in, out, activation, spec.weights, spec.gain, spec.biases};
}

// Attention can only cut the width into equal parts.
const TransformerBlockSpec& checked(const std::string& name, const TransformerBlockSpec& spec) {
    if (spec.width > 0 && spec.heads > 0 && spec.hidden > 0 && spec.width % spec.heads == 0) {
        return spec;
    }
    throw Error(fmt::format("[{}] expected a width that the heads divide and a hidden width above "
                            "0, got width {}, {} heads and {}",
                            name, spec.width, spec.heads, spec.hidden),
                ErrorKind::usage);
}

}  // namespace

CausalSelfAttention::CausalSelfAttention(ParameterGroup& group, const std::string& name,
                                         const TransformerBlockSpec& spec)
    : group_(&group),
      name_(name),
      width_(spec.width),
      heads_(spec.heads),
      dropout_(spec.attention_dropout),
      qkv_weight_(group.add({name + ".qkv.weight", {3 * width_, width_}, spec.qkv, spec.qkv_gain})),
      qkv_bias_(group.add({name + ".qkv.bias", {3 * width_}, spec.qkv_biases, 1.0, width_})),
      out_(group, name + ".out", layer(spec, width_, width_)) {}

Tensor CausalSelfAttention::operator()(Tensor x, Tensor mask, const Queries& queries,
                                       bool train) const {
    Graph& graph = x.graph();
    const Tensor w = graph.parameter(*group_, qkv_weight_), b = graph.parameter(*group_, qkv_bias_);
    const auto project = [&](Tensor rows, std::int64_t begin, std::int64_t end) {
        const Graph::Label label(graph, name_ + ".qkv");
        return linear(rows, slice(w, 0, begin, end), slice(b, 0, begin, end));
    };
    const Tensor q = project(every_row(x, queries.first, queries.stride), 0, width_);
    const Tensor kv = project(x, width_, 3 * width_);
    const AttentionHeads heads{heads_, queries.first, queries.stride};
    Tensor draws;
    if (train && dropout_ > 0.0) {
        const std::int64_t B = mask.shape()[0], T = mask.shape()[1];
        draws = graph.random_uniform(name_ + ".dropout", {B, heads_, q.shape()[0] / B, T}, 0, 1);
    }
    const Graph::Label label(graph, name_);
    return out_(causal_attention(q, kv, mask, heads, draws ? dropout_ : 0.0, draws));
}

TransformerBlock::TransformerBlock(ParameterGroup& group, const std::string& name,
                                   const TransformerBlockSpec& spec)
    : name_(name),
      residual_dropout_(checked(name, spec).residual_dropout),
      norm1_(group, name + ".norm1", spec.width, spec.epsilon),
      attention_(group, name + ".attention", spec),
      norm2_(group, name + ".norm2", spec.width, spec.epsilon),
      mlp0_(group, name + ".mlp.0",
            layer(spec, spec.width, spec.hidden, spec.gelu ? Activation::gelu : Activation::relu)),
      mlp1_(group, name + ".mlp.1", layer(spec, spec.hidden, spec.width)) {}

Tensor TransformerBlock::operator()(Tensor x, Tensor mask, const Queries& queries,
                                    bool train) const {
    const double rate = train ? residual_dropout_ : 0.0;
    const Tensor attended = attention_(norm1_(x), mask, queries, train);
    const Tensor y = every_row(x, queries.first, queries.stride) +
                     dropout(attended, rate, name_ + ".residual.dropout");
    return y + dropout(mlp1_(mlp0_(norm2_(y))), rate, name_ + ".mlp.dropout");
}

}  // namespace drydock::nn
