// A table of learned vectors.
#pragma once

#include <string>

#include "core/ops/ops.h"

namespace drydock::nn {

class Embedding {
  public:
    // Adds "NAME.weight" (rows, width), normal with that deviation, to the group, which must
    // outlive the layer.
    Embedding(ParameterGroup& group, const std::string& name, std::int64_t rows, std::int64_t width,
              double deviation);

    // Rows by i64 indices: (N) -> (N, width)
    Tensor operator()(Tensor indices) const;

  private:
    ParameterGroup* group_;
    std::string name_;
    int weight_;
};

}  // namespace drydock::nn
