// Kernels with one planted mistake each. A test names the build of the emulator that has to find
// it; the numbers alone need not show it.
#pragma once

namespace drydock::kernels::simt::mutants {

constexpr int kTile = 16;

// c = a b for square matrices of n = 2 kTile, in tiles of kTile. Both lack one of the two barriers.
bool multiply_without_barrier_after_load(const float* a, const float* b, float* c);
bool multiply_without_barrier_after_use(const float* a, const float* b, float* c);

// *out = sum of 32 values, through shared memory without __syncwarp.
bool sum_without_syncwarp(const float* in, float* out);

// out[i] = 64 - the value of thread 63 - i; a barrier stands in a branch that half the block takes.
bool barrier_in_branch(float* out);

// out[i] = 2 in[i] for a number of threads rounded up, without looking at n.
bool scale_without_tail_guard(const float* in, float* out, int n);

// Each of two blocks leaves its number in *out.
bool two_blocks_one_word(float* out);

// 32 threads copy a value each through 31 elements of shared memory.
bool copy_past_shared_array(const float* in, float* out);

// Copies 8 elements, 16 bytes at a time.
bool copy_without_alignment_check(const float* in, float* out);

}  // namespace drydock::kernels::simt::mutants
