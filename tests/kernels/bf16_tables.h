// Every set of kernels for Precision::bf16 that can run here, the tiles' on their model among them.
#pragma once

#include "tests/kernels/harness.h"

namespace drydock::kernels::testing {

// The kernels of AMX on base/amx_model.h; the rest of the table stays.
void take_amx_model_kernels(CpuTable& table);

// Calls body(table, isa) for each; the model stands in for amx where that is missing.
template <class F>
void for_each_bf16_table(F body) {
    for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx}) {
        if (isa > best_isa()) {
            MESSAGE("skipped: this processor has no ", std::string(name_of(isa)));
            continue;
        }
        INFO("isa ", name_of(isa));
        body(cpu_table(isa), isa);
    }
#if defined(DRYDOCK_HAS_AVX2)
    if (best_isa() >= Isa::avx512_bf16) {
        INFO("the model of amx");
        CpuTable table = cpu_table(Isa::avx512_bf16);
        take_amx_model_kernels(table);
        body(table, Isa::amx);
    }
#endif
}

}  // namespace drydock::kernels::testing
