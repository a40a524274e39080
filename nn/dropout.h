// Dropout of activations.
#pragma once

#include <string>

#include "core/ops/ops.h"

namespace drydock::nn {

// x with each element zero with probability `rate` and otherwise divided by 1 - rate, so that its
// mean stays (inverted dropout; Srivastava et al. 2014). The mask is drawn anew in every update
// from the uniforms of the stream `name`: an element is kept where its draw in [0, 1) is not below
// the rate. Records nothing for rate 0. Throws Error (usage) for a rate outside [0, 1).
Tensor dropout(Tensor x, double rate, const std::string& name);

}  // namespace drydock::nn
