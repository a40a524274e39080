// How much memory this process may have. Internal to data/.
#pragma once

#include <string>

namespace drydock::data {

// In bytes: the machine's memory, or the limit of this process's control group or of one above it,
// whichever is least. Reads proc/self/cgroup and sys/fs/cgroup (version 2 and version 1's memory
// controller) under `root`; what is missing or unreadable limits nothing.
double memory_limit(const std::string& root = "/");

}  // namespace drydock::data
