// What a file was when it was loaded. Internal to envs/.
#pragma once

#include <string>

namespace drydock::envs {

// SHA-256 of a file's bytes, in hexadecimal; of those that can be read.
std::string sha256_of_file(const std::string& path);

}  // namespace drydock::envs
