// The forward pass of each kind, once per instruction set; all give the same bits. policy/dense.h
// states the order of the additions.
#pragma once

#include "policy/model.h"

namespace drydock::policy {

enum class Isa { portable, avx2 };

// The fastest one of this processor.
Isa best_isa();

// "avx2", "fma" or "portable": the last is far slower, for the processor has no fused multiply-add
// of its own.
const char* name_of(Isa isa);

// Floats that `run` works in: run_mlp and run_best_of_n.
std::uint64_t mlp_workspace(const Architecture& architecture);
std::uint64_t best_of_n_workspace(const Architecture& architecture);

RunFunction run_mlp(Isa isa);

// The candidates of call c are numbers [c samples A, (c + 1) samples A) of the stream
// "policy_samples" of base/philox.h at step 0, mapped from [0, 1) to [-1, 1).
RunFunction run_best_of_n(Isa isa);

// policy/transformer.h
TransformerFunctions transformer_functions(Isa isa);

}  // namespace drydock::policy
