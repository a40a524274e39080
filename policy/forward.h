// The forward pass, once per instruction set; all give the same bits.
//
// Hidden layers: one running sum per output, which starts at the bias and takes one fused
// multiply-add per input, in ascending order. Last layer: eight running sums per output, of which
// sum s takes the inputs k with k mod 8 = s in ascending order and sum 0 starts at the bias; they
// are added as ((0+1)+(2+3))+((4+5)+(6+7)). Last layers are narrow: one sum per output would leave
// the processor waiting for each addition.
#pragma once

#include "policy/model.h"

namespace drydock::policy {

struct Runner {
    RunFunction run;
    const char* name;
};

// Runs everywhere. Far slower where the processor has no fused multiply-add of its own.
Runner portable_runner();

// The fastest one of this processor.
Runner best_runner();

}  // namespace drydock::policy
