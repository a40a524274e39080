#include "nn/linear.h"

namespace drydock::nn {

Linear::Linear(ParameterGroup& group, const std::string& name, const Spec& spec)
    : group_(&group), name_(name), activation_(spec.activation) {
    weight_ = group.add({name + ".weight", {spec.out, spec.in}, spec.weights, spec.gain});
    bias_ = group.add({name + ".bias", {spec.out}, spec.biases, 1.0, spec.in});
}

Tensor Linear::operator()(Tensor x) const {
    Graph& graph = x.graph();
    const Graph::Label label(graph, name_);
    return linear(x, graph.parameter(*group_, weight_), graph.parameter(*group_, bias_),
                  activation_);
}

}  // namespace drydock::nn
