#include "nn/layer_norm.h"

namespace drydock::nn {

LayerNorm::LayerNorm(ParameterGroup& group, const std::string& name, std::int64_t width,
                     double epsilon)
    : group_(&group),
      name_(name),
      epsilon_(epsilon),
      weight_(group.add({name + ".weight", {width}, Initializer::ones})),
      bias_(group.add({name + ".bias", {width}, Initializer::zeros})) {}

Tensor LayerNorm::operator()(Tensor x) const {
    Graph& graph = x.graph();
    const Graph::Label label(graph, name_);
    return layer_norm(x, graph.parameter(*group_, weight_), graph.parameter(*group_, bias_),
                      epsilon_);
}

}  // namespace drydock::nn
