// Puts the kernels for Precision::bf16 of one instruction set in the place of those that round in
// software.
#pragma once

namespace drydock::kernels {

struct CpuTable;

void take_avx512_bf16_kernels(CpuTable& table);
void take_amx_kernels(CpuTable& table);

}  // namespace drydock::kernels
