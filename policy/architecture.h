// The `architecture` text of a policy file.
#pragma once

#include <string_view>

#include "policy/message.h"
#include "policy/model.h"

namespace drydock::policy {

// The kind of that name; false for one that this version does not know.
bool parse_kind(std::string_view name, Kind& kind);
const char* name_of(Kind kind);

// Parses the members of that kind that docs/policy_file.md lists, in any order, each exactly once
// and nothing else: a member that this version does not know would change what the network
// computes. False leaves the reason in `problem`.
bool parse_architecture(std::string_view text, Kind kind, Architecture& architecture,
                        Message& problem);

}  // namespace drydock::policy
