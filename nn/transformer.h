// Blocks of a causal transformer whose layers are normalised before they act (pre-LN).
#pragma once

#include <string>

#include "nn/layer_norm.h"
#include "nn/linear.h"

namespace drydock::nn {

struct TransformerBlockSpec {
    std::int64_t width = 0, heads = 1;
    std::int64_t hidden = 0;  // width between the two layers of the feed-forward part
    bool gelu = false;        // its activation: gelu (erf form), or relu
    double epsilon = 1e-5;    // of the layer normalisations
    // Rates, in train() alone: of attention weights, and of what either part adds.
    double attention_dropout = 0.0, residual_dropout = 0.0;
    // First values. The projection to queries, keys and values has its own.
    Initializer weights = Initializer::pytorch_default;
    double gain = 1.0;
    Initializer biases = Initializer::pytorch_default;
    Initializer qkv = Initializer::pytorch_default;
    double qkv_gain = 1.0;
    Initializer qkv_biases = Initializer::pytorch_default;
};

// The tokens that a block computes: those at `first`, `first` + `stride`, ... of each sequence; all
// tokens are keys and values.
struct Queries {
    std::int64_t first = 0, stride = 1;
};

// Attention of several heads, each token to the tokens up to itself that are not padding (Vaswani
// et al. 2017).
class CausalSelfAttention {
  public:
    // Adds "NAME.qkv.weight" (3 W, W) and ".bias" (3 W), queries, keys and values one after the
    // other, and the layer "NAME.out".
    CausalSelfAttention(ParameterGroup& group, const std::string& name,
                        const TransformerBlockSpec& spec);

    // x (B T, W), mask (B, T), 0 at padding: (B Q, W). The stream of the dropout is
    // "NAME.dropout".
    Tensor operator()(Tensor x, Tensor mask, const Queries& queries, bool train) const;

  private:
    ParameterGroup* group_;
    std::string name_;
    std::int64_t width_, heads_;
    double dropout_;
    int qkv_weight_, qkv_bias_;
    Linear out_;
};

// y = x + attention(norm1(x)); y + mlp(norm2(y)).
class TransformerBlock {
  public:
    // Adds "NAME.norm1", ".attention", ".norm2", ".mlp.0" and ".mlp.1". Throws Error (usage) when
    // the heads do not divide the width.
    TransformerBlock(ParameterGroup& group, const std::string& name,
                     const TransformerBlockSpec& spec);

    // x (B T, W), mask (B, T), 0 at padding: (B Q, W), the tokens that `queries` says. With
    // `train`, dropout is drawn from the streams "NAME.attention.dropout", ".residual.dropout" and
    // ".mlp.dropout".
    Tensor operator()(Tensor x, Tensor mask, const Queries& queries, bool train) const;

  private:
    std::string name_;
    double residual_dropout_;
    LayerNorm norm1_;
    CausalSelfAttention attention_;
    LayerNorm norm2_;
    Linear mlp0_, mlp1_;
};

}  // namespace drydock::nn
