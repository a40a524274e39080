// The `architecture` text of a policy file of kind "mlp".
#pragma once

#include <string_view>

#include "policy/message.h"
#include "policy/model.h"

namespace drydock::policy {

// Parses {"hidden_activation": "relu"|"tanh", "head": "tanh_mean"|"deterministic_tanh"|"identity",
// "layer_sizes": [observation, hidden ..., action]}, in any order, each exactly once and nothing
// else: a member that this version does not know would change what the network computes. False
// leaves the reason in `problem`.
bool parse_architecture(std::string_view text, Architecture& architecture, Message& problem);

}  // namespace drydock::policy
