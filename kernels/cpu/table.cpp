#include "kernels/cpu/table.h"

#include "kernels/cpu/bf16/features.h"
#include "kernels/cpu/bf16/take.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/take.h"

namespace drydock::kernels {
namespace {

CpuTable portable_table() {
    return {
        .pack_weights = portable::pack_weights(),
        .linear_forward = portable::linear_forward(),
        .linear_input_gradient = portable::linear_input_gradient(),
        .linear_weight_gradient = portable::linear_weight_gradient(),
        .linear_forward_bf16 = portable::linear_forward_bf16(),
        .linear_input_gradient_bf16 = portable::linear_input_gradient_bf16(),
        .linear_weight_gradient_bf16 = portable::linear_weight_gradient_bf16(),
        .matmul = portable::matmul(),
        .unary = portable::unary(),
        .binary = portable::binary(),
        .where = portable::where(),
        .fill = portable::fill(),
        .reduce = portable::reduce(),
        .gather_rows = portable::gather_rows(),
        .scatter_add_rows = portable::scatter_add_rows(),
        .select_row = portable::select_row(),
        .random_fill = portable::random_fill(),
        .expectile_loss = portable::expectile_loss(),
        .mse_loss = portable::mse_loss(),
        .gaussian_log_prob = portable::gaussian_log_prob(),
        .gaussian_log_prob_gradient = portable::gaussian_log_prob_gradient(),
        .layer_norm = portable::layer_norm(),
        .layer_norm_input_gradient = portable::layer_norm_input_gradient(),
        .layer_norm_weight_gradient = portable::layer_norm_weight_gradient(),
        .causal_attention = portable::causal_attention(),
        .causal_attention_gradient = portable::causal_attention_gradient(),
        .window_rows = portable::window_rows(),
        .tick = portable::tick(),
        .optimizer_tick = portable::optimizer_tick(),
        .store_metric = portable::store_metric(),
        .adam_step = portable::adam_step(),
        .polyak = portable::polyak(),
        .squared_norm = portable::squared_norm(),
        .clip_by_norm = portable::clip_by_norm(),
    };
}

// The portable table with the kernels that the instruction set has files for.
CpuTable table_of(Isa isa) {
    CpuTable table = portable_table();
#if defined(DRYDOCK_HAS_X86_SIMD)
    if (isa == Isa::avx2) take_avx2_kernels(table);
    if (isa >= Isa::avx512 && isa <= Isa::amx) take_avx512_kernels(table);
    if (isa == Isa::avx512_bf16 || isa == Isa::amx) take_avx512_bf16_kernels(table);
    if (isa == Isa::amx) take_amx_kernels(table);
#elif defined(DRYDOCK_HAS_NEON)
    if (isa == Isa::neon) take_neon_kernels(table);
#endif
    return table;
}

Isa find_best_isa() {
#if defined(DRYDOCK_HAS_X86_SIMD)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (avx2 && avx512 && has_avx512_bf16()) return has_amx_bf16() ? Isa::amx : Isa::avx512_bf16;
    if (avx2) return avx512 ? Isa::avx512 : Isa::avx2;
#elif defined(DRYDOCK_HAS_NEON)
    return Isa::neon;
#endif
    return Isa::portable;
}

}  // namespace

Isa best_isa() {
    static const Isa best = find_best_isa();
    return best;
}

bool has_isa(Isa isa) {
    const Isa best = best_isa();
    if (isa == Isa::neon || best == Isa::neon) return isa == Isa::portable || isa == best;
    return isa <= best;
}

const CpuTable& cpu_table(Isa isa) {
    static const CpuTable tables[] = {table_of(Isa::portable), table_of(Isa::avx2),
                                      table_of(Isa::avx512),   table_of(Isa::avx512_bf16),
                                      table_of(Isa::amx),      table_of(Isa::neon)};
    return tables[static_cast<std::size_t>(isa)];
}

}  // namespace drydock::kernels
