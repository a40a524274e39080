// A run that starts from an offline run's checkpoint and goes on with online collection.
#pragma once

#include "training/run_parts.h"

namespace drydock::training {

// Completes the options of a run with `finetune` from the config.toml in that folder, and makes the
// folder's path absolute: the data, the environment, the preset and the settings that `options` do
// not give, and `steps`. A cosine schedule becomes constant, and bc_steps 0: both were the offline
// run's. Does nothing without `finetune`, and nothing more when called again. Throws Error (usage)
// for an algorithm that cannot be fine-tuned, a folder without a run or of another algorithm, data
// that are no longer there, no environment, and options that do not go together.
void complete_finetune(TrainOptions& options);

// Throws Error (usage) where that run was scored in another environment than parts.environment. It
// needs no data: to be called before anything is read or said.
void check_offline_environment(const RunParts& parts);

// Puts that run's parameters, targets and moments into the session, at update 0. Throws Error
// (usage) where its networks, or the units of its observations, actions and rewards are not this
// run's; other data than that run's may have the same.
void take_over_offline(RunParts& parts, const Notice& notice);

}  // namespace drydock::training
