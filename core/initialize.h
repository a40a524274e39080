// First values of parameters.
#pragma once

#include <vector>

#include "core/state.h"

namespace drydock {

// Values of one parameter, row-major, drawn from the stream "init/NAME" of `seed`.
std::vector<double> initial_values(const ParameterSpec& spec, std::uint64_t seed);

}  // namespace drydock
