// Everything that a run needs to go on, as one safetensors file:
//   parameters/NAME, first_moments/NAME, second_moments/NAME     as in traces, PyTorch's layout
//   optimizer/GROUP/step (i64), .../beta1_power, .../beta2_power (f64)
//   counters/step (i64), counters/seed (u64)
// and the run's settings in the metadata.
#pragma once

#include <map>
#include <string>

#include "core/state.h"

namespace drydock::training {

using Metadata = std::map<std::string, std::string>;

// Writes the state under a temporary name, syncs and renames. `metadata` is added to the file's
// own. Throws Error when it cannot be written (the old checkpoint stays), and when a parameter is
// not finite.
void save_checkpoint(const std::string& path, State& state, const Metadata& metadata);

// Puts a checkpoint's contents into a state with the same networks and returns the metadata.
// Training goes on from there bit for bit on the same binary, ISA and device. Throws Error for a
// file of another kind, or one whose tensors do not match the state's; the state is then unchanged.
Metadata load_checkpoint(const std::string& path, State& state);

}  // namespace drydock::training
