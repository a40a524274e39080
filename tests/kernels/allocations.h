// Counts what the program takes from the heap.
#pragma once

#include <cstddef>

namespace drydock::kernels::testing {

// False under sanitizers, which bring a heap of their own.
bool allocations_are_counted();

// Calls of malloc and its relatives, operator new among them, since the start.
std::size_t allocations();

}  // namespace drydock::kernels::testing
