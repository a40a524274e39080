// The CUDA kernels, one function for each contract of kernels/api. A launcher checks its arguments,
// enqueues its kernels on `stream` and returns without waiting; all pointers are to device memory.
// fp32 only. Arguments that need another dtype or are too large get `unsupported`, wrong ones
// `bad_argument`. The results depend on the arguments alone: no atomics, fixed orders of additions.
//
// No CUDA header is needed to call these.
#pragma once

#include "kernels/api/linear.h"
#include "kernels/api/losses.h"
#include "kernels/api/optimizer.h"

struct CUstream_st;
using cudaStream_t = CUstream_st*;  // NOLINT(readability-identifier-naming): CUDA's name

namespace drydock::kernels::cuda {

// Rows and columns may be anything from 0 on; dimensions of 2^31 or more are unsupported.
Status linear_forward(const LinearForward& args, cudaStream_t stream);
Status linear_input_gradient(const LinearInputGradient& args, cudaStream_t stream);
Status linear_weight_gradient(const LinearWeightGradient& args, cudaStream_t stream);

// N >= 1. One block does all the work: meant for batches, not for data sets.
Status expectile_loss(const ExpectileLoss& args, cudaStream_t stream);

// Arrays that are all 16-byte aligned are read and written four elements at a time.
Status adam_step(const AdamStep& args, cudaStream_t stream);
Status polyak(const Polyak& args, cudaStream_t stream);

}  // namespace drydock::kernels::cuda
