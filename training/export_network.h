// The network's part of a policy file: architecture and tensors, by kind.
#pragma once

#include "core/safetensors.h"
#include "training/session.h"

namespace drydock::training {

// Adds the metadata entries schema, kind and architecture and the network's tensors to `file`:
// outputs that are not the policy's are left out, quantiles are averaged. Throws Error for a weight
// that is not finite, a parameter that is missing and a network that no policy file can hold.
void add_network(TensorFile& file, const algorithms::PolicyNetwork& network, Session& session);

}  // namespace drydock::training
