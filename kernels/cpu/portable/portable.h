// The kernels that run on every processor, in f32 and f64. One file of this folder per header of
// kernels/api/, with the same name.
#pragma once

#include "kernels/cpu/table.h"

namespace drydock::kernels::portable {

CpuKernel<PackWeights> pack_weights();
CpuKernel<LinearForward> linear_forward();
CpuKernel<LinearInputGradient> linear_input_gradient();
CpuKernel<LinearWeightGradient> linear_weight_gradient();
CpuKernel<LinearForward> linear_forward_bf16();
CpuKernel<LinearInputGradient> linear_input_gradient_bf16();
CpuKernel<LinearWeightGradient> linear_weight_gradient_bf16();
CpuKernel<Matmul> matmul();
CpuKernel<UnaryMap> unary();
CpuKernel<BinaryMap> binary();
CpuKernel<WhereMap> where();
CpuKernel<Fill> fill();
CpuKernel<Reduce> reduce();
CpuKernel<GatherRows> gather_rows();
CpuKernel<ScatterAddRows> scatter_add_rows();
CpuKernel<SelectRow> select_row();
CpuKernel<RandomFill> random_fill();
CpuKernel<ExpectileLoss> expectile_loss();
CpuKernel<MseLoss> mse_loss();
CpuKernel<GaussianLogProb> gaussian_log_prob();
CpuKernel<GaussianLogProbGradient> gaussian_log_prob_gradient();
CpuKernel<LayerNorm> layer_norm();
CpuKernel<LayerNormInputGradient> layer_norm_input_gradient();
CpuKernel<LayerNormWeightGradient> layer_norm_weight_gradient();
CpuKernel<CausalAttention> causal_attention();
CpuKernel<CausalAttentionGradient> causal_attention_gradient();
CpuKernel<WindowRows> window_rows();
CpuKernel<Tick> tick();
CpuKernel<OptimizerTick> optimizer_tick();
CpuKernel<StoreMetric> store_metric();
CpuKernel<AdamStep> adam_step();
CpuKernel<Polyak> polyak();
CpuKernel<SquaredNorm> squared_norm();
CpuKernel<ClipByNorm> clip_by_norm();

}  // namespace drydock::kernels::portable
