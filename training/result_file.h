// The files that tell what came out of a run: result.json and the policy.
#pragma once

#include "core/safetensors.h"
#include "training/run_parts.h"
#include "training/trainer.h"

namespace drydock::training {

// result.json of the run's folder. Where this process had no update to do, the earlier file's speed
// stays. Throws Error when it cannot be written.
void write_result_file(const RunParts& parts, const TrainResult& result);

// The policy file of the run as it stands.
TensorFile policy_of(const RunParts& parts);

}  // namespace drydock::training
