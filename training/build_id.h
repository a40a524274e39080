// Which build of the program this is: resume is exact for the same one only.
#pragma once

#include <string>

namespace drydock::training {

// The linker's build-id of the running program, in hexadecimal; drydock's version where there is
// none.
std::string build_id();

}  // namespace drydock::training
