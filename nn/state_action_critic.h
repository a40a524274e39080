// An action value whose states are encoded once and judged with many actions.
#pragma once

#include "nn/mlp.h"

namespace drydock::nn {

// The multi-layer perceptron of concat(observation, action), with the same parameters under the
// same names, computed in two halves: the first layer is W_s s + b + W_a a, where W_s and W_a are
// views of one weight. The observations' half is computed once per state however many actions
// follow, and no state is ever repeated in memory. Gradients of both halves meet in the one weight.
class StateActionCritic {
  public:
    // Adds "NAME.layers.K.weight" and ".bias". spec.layer_sizes runs from observation + action size
    // to 1; throws Error otherwise, or where no observation would be left.
    StateActionCritic(ParameterGroup& group, const std::string& name, const MlpSpec& spec,
                      std::int64_t action_size);

    // The observations' half of the first layer: (N, S) -> (N, H).
    Tensor encode(Tensor observations) const;
    // Values of n actions for each encoded state: (N, H), (N, n, A) -> (N, n).
    Tensor operator()(Tensor encoded, Tensor actions) const;

  private:
    Tensor first_weight(Graph& graph, std::int64_t begin, std::int64_t end) const;

    ParameterGroup* group_;
    std::string name_;
    std::int64_t action_size_, observation_size_, width_;
    Linear::Parameters first_;
    Activation activation_;     // of the first layer
    std::vector<Linear> rest_;  // the layers above it
};

}  // namespace drydock::nn
