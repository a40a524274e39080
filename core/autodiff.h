// What an op's adjoint is called with.
#pragma once

#include "core/graph.h"

namespace drydock {

class AdjointCall {
  public:
    AdjointCall(Graph& graph, const Node& node, std::vector<Tensor> cotangents,
                std::vector<bool> wanted);

    Graph& graph() const { return graph_; }
    const Attributes& attributes() const { return node_.attributes; }
    Tensor input(int i) const { return {&graph_, node_.inputs[static_cast<std::size_t>(i)]}; }
    Tensor output(int i = 0) const { return {&graph_, node_.outputs[static_cast<std::size_t>(i)]}; }
    int input_count() const { return node_.input_count; }
    // The cotangent of an output; empty when nothing depends on it.
    Tensor cotangent(int i = 0) const { return cotangents_[static_cast<std::size_t>(i)]; }
    // Whether the cotangent of input i is needed.
    bool wants(int i) const { return wanted_[static_cast<std::size_t>(i)]; }
    void set(int i, Tensor cotangent) { results_[static_cast<std::size_t>(i)] = cotangent; }
    const std::vector<Tensor>& results() const { return results_; }

  private:
    Graph& graph_;
    Node node_;  // a copy: appending moves the program's nodes
    std::vector<Tensor> cotangents_;
    std::vector<bool> wanted_;
    std::vector<Tensor> results_;
};

// g * x, for a cotangent g: g may be the constant one of a loss, and is not multiplied then.
Tensor scale_by_cotangent(Tensor g, Tensor x);

}  // namespace drydock
