#include "nn/linear.h"

namespace drydock::nn {

Linear::Linear(ParameterGroup& group, const std::string& name, const Spec& spec)
    : group_(&group),
      name_(name),
      activation_(spec.activation),
      parameters_(add(group, name, spec)) {}

Linear::Parameters Linear::add(ParameterGroup& group, const std::string& name, const Spec& spec) {
    const int weight = group.add({name + ".weight", {spec.out, spec.in}, spec.weights, spec.gain});
    const int bias = group.add({name + ".bias", {spec.out}, spec.biases, spec.bias_gain, spec.in});
    return {weight, bias};
}

Tensor Linear::operator()(Tensor x) const {
    Graph& graph = x.graph();
    const Graph::Label label(graph, name_);
    return linear(x, graph.parameter(*group_, parameters_.weight),
                  graph.parameter(*group_, parameters_.bias), activation_);
}

}  // namespace drydock::nn
