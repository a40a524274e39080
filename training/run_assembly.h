// The steps that put a run together, for a new run and for one that goes on. Internal to
// run_parts.cpp and run_resume.cpp.
#pragma once

#include <memory>
#include <string>

#include "training/run_parts.h"

namespace drydock::training {

// Throws Error (usage) for options that no run can have.
void check_options(const TrainOptions& options);

// The run must be found again from another folder.
void make_paths_absolute(TrainOptions& options);

// Null for "".
std::unique_ptr<envs::Environment> find_environment(const std::string& name);

// What an update or a score knows of the environment, null perhaps. A checkpoint holds it.
std::string describe_environment(const envs::Environment* environment);

// Writes config.toml.
void write_config(RunParts& parts);

// Reads the data, or takes the sibling's, and says what was chosen of them.
void load_data(RunParts& parts, const Notice& notice, const RunParts* sibling);

// Makes the session with the data as its columns, records the update and, for a run that is
// fine-tuned, what collects. `isa` is "" for the best there is.
void make_session(RunParts& parts, const std::string& isa, const RunParts* sibling);

}  // namespace drydock::training
