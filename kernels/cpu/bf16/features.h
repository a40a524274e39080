// Whether this processor multiplies bfloat16, and whether the system lets it.
#pragma once

namespace drydock::kernels {

// vdpbf16ps, on a processor that has AVX-512.
bool has_avx512_bf16();

// tdpbf16ps, and the system's permission to use tiles, which this asks for: it saves their 8 KiB
// only for processes that did.
bool has_amx_bf16();

}  // namespace drydock::kernels
