// The golden rows of a policy file: what the runtime answers, checked against the engine.
#pragma once

#include "core/safetensors.h"
#include "training/data_set.h"
#include "training/session.h"

namespace drydock::training {

// Adds golden.observations and golden.actions (and golden.rewards, where the rows are an episode of
// a policy that remembers) to `file`, which is complete but for them. The observations are the
// data's; an episode goes beyond the context. Throws Error when the engine's batched forward pass
// and the runtime differ by more than 1e-5 of an action's half range, or an action is not finite.
//
// A policy that chooses, among actions or candidates, may choose either of two that are as good as
// equal: up to an eighth of the rows, at which engine and runtime choose differently, are left out.
void add_golden(TensorFile& file, const algorithms::PolicyNetwork& network, Session& session,
                const TrainingData& data);

}  // namespace drydock::training
