// A linear layer with its activation.
#pragma once

#include <string>

#include "core/ops/ops.h"

namespace drydock::nn {

class Linear {
  public:
    struct Spec {
        std::int64_t in = 0, out = 0;
        Activation activation = Activation::none;
        Initializer weights = Initializer::pytorch_default;
        double gain = 1.0;
        // torch.nn.Linear draws biases as it draws weights; the other initialisers go with zeros.
        Initializer biases = Initializer::pytorch_default;
        double bias_gain = 1.0;
    };

    // Adds "NAME.weight" (out, in) and "NAME.bias" (out) to the group, which must outlive the
    // layer.
    Linear(ParameterGroup& group, const std::string& name, const Spec& spec);
    // Adds these alone, for a layer that is computed in another way; returns their indices.
    struct Parameters {
        int weight, bias;
    };
    static Parameters add(ParameterGroup& group, const std::string& name, const Spec& spec);

    // activation(x w^T + b): (N, in) -> (N, out)
    Tensor operator()(Tensor x) const;

  private:
    ParameterGroup* group_;
    std::string name_;
    Activation activation_;
    Parameters parameters_;
};

}  // namespace drydock::nn
