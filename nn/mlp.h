// Multi-layer perceptrons: the networks of all algorithms but Decision Transformer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/linear.h"

namespace drydock::nn {

struct MlpSpec {
    std::vector<std::int64_t> layer_sizes;  // input, hidden..., output
    Activation hidden = Activation::relu;
    Activation output = Activation::none;
    Initializer weights = Initializer::pytorch_default;
    double gain = 1.0;         // of hidden layers
    double output_gain = 1.0;  // of the last layer
    Initializer biases = Initializer::pytorch_default;
    double bias_gain = 1.0;  // of hidden layers
    // Of the last layer, where they differ.
    std::optional<Initializer> output_weights, output_biases;
    double dropout = 0.0;  // rate after each hidden activation, in train() alone
};

// A network's first values by name. "pytorch_default" draws weights and biases as torch.nn.Linear
// does; with the others biases start at zero, and a network of relus has gain sqrt(2)
// in every layer, as in the IQL authors' code.
void set_initializer(MlpSpec& spec, const std::string& name);

// What each linear layer of a network is made from. Throws Error for fewer than two sizes or one
// that is not positive; `name` is the network's.
std::vector<Linear::Spec> layer_specs(const std::string& name, const MlpSpec& spec);

class Mlp {
  public:
    // Adds "NAME.layers.K.weight" and ".bias", K counting linear layers from 0. Throws Error as
    // layer_specs does.
    Mlp(ParameterGroup& group, const std::string& name, const MlpSpec& spec);

    // (N, input) -> (N, output)
    Tensor operator()(Tensor x) const { return forward(x, 0.0); }
    // The same with dropout; the mask of layer K is drawn from the stream "NAME.layers.K.dropout".
    Tensor train(Tensor x) const { return forward(x, dropout_); }
    std::int64_t output_size() const { return sizes_.back(); }

  private:
    Tensor forward(Tensor x, double dropout_rate) const;

    std::string name_;
    double dropout_;
    std::vector<std::int64_t> sizes_;
    std::vector<Linear> layers_;
};

// An Mlp with one output, as a vector: (N, input) -> (N). State values and action values.
class ScalarMlp {
  public:
    ScalarMlp(ParameterGroup& group, const std::string& name, const MlpSpec& spec);
    Tensor operator()(Tensor x) const;

  private:
    Mlp mlp_;
};

}  // namespace drydock::nn
