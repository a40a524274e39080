// The kernels that are written once on base/simd.h and compiled for every instruction set that has
// a page there: f32 only, everything else is `unsupported`.
#pragma once

#include "base/simd.h"
#include "kernels/api/attention.h"
#include "kernels/api/elementwise.h"
#include "kernels/api/linear.h"
#include "kernels/api/losses.h"
#include "kernels/api/normalization.h"
#include "kernels/api/optimizer.h"
#include "kernels/api/random.h"
#include "kernels/api/reduce.h"

namespace drydock::kernels {

inline namespace DRYDOCK_SIMD_NAMESPACE {

CpuKernel<PackWeights> pack_weights();
CpuKernel<LinearForward> linear_forward();
CpuKernel<LinearInputGradient> linear_input_gradient();
CpuKernel<LinearWeightGradient> linear_weight_gradient();
CpuKernel<LinearForward> linear_forward_bf16();
CpuKernel<LinearInputGradient> linear_input_gradient_bf16();
CpuKernel<LinearWeightGradient> linear_weight_gradient_bf16();
CpuKernel<UnaryMap> unary();
CpuKernel<BinaryMap> binary();
CpuKernel<WhereMap> where();
CpuKernel<RandomFill> random_fill();
CpuKernel<Reduce> reduce();
CpuKernel<ExpectileLoss> expectile_loss();
CpuKernel<LayerNorm> layer_norm();
CpuKernel<LayerNormInputGradient> layer_norm_input_gradient();
CpuKernel<LayerNormWeightGradient> layer_norm_weight_gradient();
CpuKernel<CausalAttention> causal_attention();
CpuKernel<CausalAttentionGradient> causal_attention_gradient();
CpuKernel<AdamStep> adam_step();
CpuKernel<Polyak> polyak();

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
