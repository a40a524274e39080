// First values of parameters.
#pragma once

#include <string>
#include <vector>

#include "core/state.h"

namespace drydock {

// "pytorch_default", "orthogonal", "xavier", "normal", "zeros" or "ones"; throws Error (usage) that
// lists them.
Initializer parse_initializer(const std::string& name);

// Values of one parameter, row-major, drawn from the stream "init/NAME" of `seed`.
std::vector<double> initial_values(const ParameterSpec& spec, std::uint64_t seed);

}  // namespace drydock
