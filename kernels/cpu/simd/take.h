// Puts the kernels of one instruction set in the place of the portable ones.
#pragma once

namespace drydock::kernels {

struct CpuTable;

void take_avx2_kernels(CpuTable& table);
void take_avx512_kernels(CpuTable& table);
void take_neon_kernels(CpuTable& table);

}  // namespace drydock::kernels
