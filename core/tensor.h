// A tensor: a typed view of a value of the graph that is being built. It holds no memory.
#pragma once

#include "core/program.h"

namespace drydock {

class Graph;

class Tensor {
  public:
    Tensor() = default;
    Tensor(Graph* graph, ValueId id) : graph_(graph), id_(id) {}

    explicit operator bool() const { return graph_ != nullptr; }
    Graph& graph() const { return *graph_; }
    ValueId id() const { return id_; }
    const Value& value() const;
    Shape shape() const { return value().shape; }  // a copy: values move while a graph grows
    DType dtype() const { return value().dtype; }
    std::int64_t size() const { return shape().size(); }

  private:
    Graph* graph_ = nullptr;
    ValueId id_ = kNone;
};

}  // namespace drydock
