#include "kernels/cpu/simd/take.h"

#include "kernels/cpu/simd/kernels.h"
#include "kernels/cpu/table.h"

namespace drydock::kernels {

#if defined(DRYDOCK_SIMD_AVX512)
void take_avx512_kernels(CpuTable& table) {
#elif defined(DRYDOCK_SIMD_NEON)
void take_neon_kernels(CpuTable& table) {
#else
void take_avx2_kernels(CpuTable& table) {
#endif
    table.pack_weights = pack_weights();
    table.linear_forward = linear_forward();
    table.linear_input_gradient = linear_input_gradient();
    table.linear_weight_gradient = linear_weight_gradient();
    table.linear_forward_bf16 = linear_forward_bf16();
    table.linear_input_gradient_bf16 = linear_input_gradient_bf16();
    table.linear_weight_gradient_bf16 = linear_weight_gradient_bf16();
    table.unary = unary();
    table.binary = binary();
    table.where = where();
    table.random_fill = random_fill();
    table.reduce = reduce();
    table.expectile_loss = expectile_loss();
    table.layer_norm = layer_norm();
    table.layer_norm_input_gradient = layer_norm_input_gradient();
    table.layer_norm_weight_gradient = layer_norm_weight_gradient();
    table.causal_attention = causal_attention();
    table.causal_attention_gradient = causal_attention_gradient();
    table.adam_step = adam_step();
    table.polyak = polyak();
}

}  // namespace drydock::kernels
