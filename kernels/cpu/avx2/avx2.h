// The kernels with AVX2 files of their own: f32 only, everything else is `unsupported`.
#pragma once

#include "kernels/api/linear.h"
#include "kernels/api/losses.h"
#include "kernels/api/optimizer.h"

namespace drydock::kernels {
inline namespace isa_avx2 {

CpuKernel<LinearForward> linear_forward();
CpuKernel<LinearInputGradient> linear_input_gradient();
CpuKernel<LinearWeightGradient> linear_weight_gradient();
CpuKernel<ExpectileLoss> expectile_loss();
CpuKernel<AdamStep> adam_step();
CpuKernel<Polyak> polyak();

}  // namespace isa_avx2
}  // namespace drydock::kernels
