// A user's own environment: a shared object that exports the six functions of
// drydock/environment.h.
#pragma once

#include <memory>
#include <string>

#include "envs/environment.h"

namespace drydock::envs {

// Whether `name` names a shared object and not an environment of the registry: it holds a '/' or
// ends in ".so".
bool is_plugin(const std::string& name);

// The file that such a name stands for. One without a '/' is in the current folder: the system's
// library folders are never searched.
std::string plugin_file(const std::string& name);

// Loads the file and makes an object of it. On top of what the library does, the environment
// refuses actions that are not finite, clips them to the bounds, counts the steps (a timeout after
// max_episode_steps, unless the step is terminal) and checks every number that comes back.
//
// A library stays loaded until the program ends, since it may have started threads of its own. What
// it first said of itself holds for all its objects; a later answer that differs is refused. The
// SHA-256 of the file that was loaded is env_sha256 of EnvironmentInfo::provenance.
//
// Throws drydock::Error with one text that names the file and what is wrong: no such file (usage),
// not a shared object, a missing function, another version of the interface, facts that contradict
// themselves, a status that is not 0 (with the library's own text), numbers that are not finite.
std::unique_ptr<Environment> make_plugin(const std::string& name);

}  // namespace drydock::envs
