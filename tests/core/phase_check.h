// An oracle of schedules and plans: whether nodes that run at once keep out of each other's memory.
#pragma once

#include <string>

#include "core/executable.h"

namespace drydock::test {

// The first two nodes of one phase, one writing what the other touches, that are not in one chain
// touching the same rows; "" when there are none. Written for clarity, from the addresses alone.
std::string conflict_in_phases(const Executable& executable, std::size_t program = 0);

}  // namespace drydock::test
