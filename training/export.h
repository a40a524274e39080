// The policy file of a run; docs/policy_file.md describes it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/safetensors.h"
#include "training/data_set.h"
#include "training/session.h"

namespace drydock::training {

// Where a policy comes from; written to the file's metadata.
struct Provenance {
    std::string algorithm, preset;
    std::string environment;  // "" when none
    std::uint64_t seed = 0;
    std::optional<double> score;  // mean normalised score
};

// The policy of the session as it stands: network, normaliser, action map, provenance, and the
// data's golden observations with the actions that the runtime gives. Throws what add_network and
// add_golden throw: above all when the engine's batched forward pass and the runtime differ.
TensorFile make_policy_file(Session& session, const TrainingData& data,
                            const Provenance& provenance);

}  // namespace drydock::training
