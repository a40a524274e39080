#include "nn/embedding.h"

namespace drydock::nn {

Embedding::Embedding(ParameterGroup& group, const std::string& name, std::int64_t rows,
                     std::int64_t width, double deviation)
    : group_(&group),
      name_(name),
      weight_(group.add({name + ".weight", {rows, width}, Initializer::normal, deviation})) {}

Tensor Embedding::operator()(Tensor indices) const {
    Graph& graph = indices.graph();
    const Graph::Label label(graph, name_);
    return gather_rows(graph.parameter(*group_, weight_), indices);
}

}  // namespace drydock::nn
