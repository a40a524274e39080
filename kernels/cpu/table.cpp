#include "kernels/cpu/table.h"

#include "kernels/cpu/portable/portable.h"
#if defined(DRYDOCK_HAS_AVX2)
#include "kernels/cpu/avx2/avx2.h"
#endif

namespace drydock::kernels {
namespace {

CpuTable portable_table() {
    return {
        .linear_forward = portable::linear_forward(),
        .linear_input_gradient = portable::linear_input_gradient(),
        .linear_weight_gradient = portable::linear_weight_gradient(),
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

// The portable table with the kernels that have an AVX2 file.
CpuTable avx2_table() {
    CpuTable table = portable_table();
#if defined(DRYDOCK_HAS_AVX2)
    table.linear_forward = isa_avx2::linear_forward();
    table.linear_input_gradient = isa_avx2::linear_input_gradient();
    table.linear_weight_gradient = isa_avx2::linear_weight_gradient();
    table.expectile_loss = isa_avx2::expectile_loss();
    table.adam_step = isa_avx2::adam_step();
    table.polyak = isa_avx2::polyak();
#endif
    return table;
}

Isa find_best_isa() {
#if defined(DRYDOCK_HAS_AVX2)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
    return Isa::portable;
}

}  // namespace

Isa best_isa() {
    static const Isa best = find_best_isa();
    return best;
}

const CpuTable& cpu_table(Isa isa) {
    static const CpuTable portable = portable_table(), avx2 = avx2_table();
    return isa == Isa::avx2 ? avx2 : portable;
}

}  // namespace drydock::kernels
