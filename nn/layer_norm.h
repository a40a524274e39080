// Layer normalisation with its scale and shift.
#pragma once

#include <string>

#include "core/ops/ops.h"

namespace drydock::nn {

class LayerNorm {
  public:
    // Adds "NAME.weight" (width), which starts at 1, and "NAME.bias" (width), at 0, to the group,
    // which must outlive the layer.
    LayerNorm(ParameterGroup& group, const std::string& name, std::int64_t width, double epsilon);

    // (N, width) -> (N, width)
    Tensor operator()(Tensor x) const;

  private:
    ParameterGroup* group_;
    std::string name_;
    double epsilon_;
    int weight_, bias_;
};

}  // namespace drydock::nn
