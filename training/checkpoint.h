// Everything that a run needs to go on, as one safetensors file:
//   parameters/NAME, first_moments/NAME, second_moments/NAME     as in traces, PyTorch's layout
//   optimizer/GROUP/step (i64), .../beta1_power, .../beta2_power (f64)
//   counters/step (i64), counters/seed (u64)
//   run/NAME                                                     what the trainer adds
// and the run's settings in the metadata.
#pragma once

#include <map>
#include <string>

#include "core/safetensors.h"
#include "core/state.h"

namespace drydock::training {

using Metadata = std::map<std::string, std::string>;
using Tensors = std::map<std::string, TensorData>;

// Writes the state under a temporary name, syncs and renames. `metadata` is added to the file's
// own, `extra` under run/. Throws Error when it cannot be written (the old checkpoint stays), and
// when a parameter is not finite.
void save_checkpoint(const std::string& path, State& state, const Metadata& metadata,
                     const Tensors& extra = {});

// What a checkpoint holds besides the state.
struct Checkpoint {
    Metadata metadata;
    Tensors extra;  // by their names without run/
};

// Reads a file and looks whether it is a checkpoint. Throws Error when it is not.
TensorFile read_checkpoint(const std::string& path);

// Puts a checkpoint's contents into a state with the same networks. Training goes on from there bit
// for bit on the same binary, ISA and device. Throws Error for a file whose tensors do not match
// the state's; the state is then unchanged. `path` is for error texts.
Checkpoint restore_checkpoint(const TensorFile& file, const std::string& path, State& state);
// Both; returns the metadata.
Metadata load_checkpoint(const std::string& path, State& state);

}  // namespace drydock::training
