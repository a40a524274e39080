// The CPU's kernels: one table per instruction set. A table holds every contract; where an
// instruction set has no file of its own for one, it holds the portable kernel.
#pragma once

#include <cstddef>

#include "kernels/api/attention.h"
#include "kernels/api/elementwise.h"
#include "kernels/api/gather.h"
#include "kernels/api/hyper.h"
#include "kernels/api/kernel.h"
#include "kernels/api/linear.h"
#include "kernels/api/losses.h"
#include "kernels/api/normalization.h"
#include "kernels/api/optimizer.h"
#include "kernels/api/random.h"
#include "kernels/api/reduce.h"
#include "kernels/api/windows.h"

namespace drydock::kernels {

// In order up to amx: a processor that has one has those before it. avx512_bf16 and amx differ from
// avx512 in the products of Precision::bf16 alone. neon is 64-bit ARM's, beside portable.
enum class Isa : std::uint8_t { portable, avx2, avx512, avx512_bf16, amx, neon };

constexpr const char* kIsaNames[] = {"portable", "avx2", "avx512", "avx512_bf16", "amx", "neon"};
constexpr const char* name_of(Isa isa) { return kIsaNames[static_cast<std::size_t>(isa)]; }

// What this processor can run, the best last; found by CPUID once. AMX is also asked of the system,
// which has to save the tiles.
Isa best_isa();
// Whether this build and this processor have it.
bool has_isa(Isa isa);

struct CpuTable {
    CpuKernel<PackWeights> pack_weights;
    CpuKernel<LinearForward> linear_forward;
    CpuKernel<LinearInputGradient> linear_input_gradient;
    CpuKernel<LinearWeightGradient> linear_weight_gradient;
    CpuKernel<LinearForward> linear_forward_bf16;  // Precision::bf16
    CpuKernel<LinearInputGradient> linear_input_gradient_bf16;
    CpuKernel<LinearWeightGradient> linear_weight_gradient_bf16;
    CpuKernel<Matmul> matmul;
    CpuKernel<UnaryMap> unary;
    CpuKernel<BinaryMap> binary;
    CpuKernel<WhereMap> where;
    CpuKernel<Fill> fill;
    CpuKernel<Reduce> reduce;
    CpuKernel<GatherRows> gather_rows;
    CpuKernel<ScatterAddRows> scatter_add_rows;
    CpuKernel<SelectRow> select_row;
    CpuKernel<RandomFill> random_fill;
    CpuKernel<ExpectileLoss> expectile_loss;
    CpuKernel<MseLoss> mse_loss;
    CpuKernel<GaussianLogProb> gaussian_log_prob;
    CpuKernel<GaussianLogProbGradient> gaussian_log_prob_gradient;
    CpuKernel<LayerNorm> layer_norm;
    CpuKernel<LayerNormInputGradient> layer_norm_input_gradient;
    CpuKernel<LayerNormWeightGradient> layer_norm_weight_gradient;
    CpuKernel<CausalAttention> causal_attention;
    CpuKernel<CausalAttentionGradient> causal_attention_gradient;
    CpuKernel<WindowRows> window_rows;
    CpuKernel<Tick> tick;
    CpuKernel<OptimizerTick> optimizer_tick;
    CpuKernel<StoreMetric> store_metric;
    CpuKernel<AdamStep> adam_step;
    CpuKernel<Polyak> polyak;
    CpuKernel<SquaredNorm> squared_norm;
    CpuKernel<ClipByNorm> clip_by_norm;
};

// The kernels to use on `isa`. A kernel whose check() answers `unsupported` (fp64 on a vector path)
// is to be looked up again in the portable table.
const CpuTable& cpu_table(Isa isa);

}  // namespace drydock::kernels
