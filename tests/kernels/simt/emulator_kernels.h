// Kernels that try the emulator itself. Each launcher runs one of them once.
#pragma once

#include <cstdint>

namespace drydock::kernels::simt {

// out[i] for lane i of one warp: values of lanes 0..31 are 100 + lane.
struct ShuffleResults {
    int index[32];      // lane (3 i) mod 32
    int up[32];         // by 3
    int down[32];       // by 5
    int butterfly[32];  // xor 6
    int halves[32];     // down by 1 within groups of 16
    double wide[32];    // a double from lane 31 - i
};
bool run_shuffles(ShuffleResults* out);

// Lanes 0-15 and 16-31 shuffle in different branches with their own masks; out[i] is the sum of the
// lanes of i's half.
bool run_half_warps(int* out);

struct Votes {
    unsigned ballot;  // of odd lanes
    int any_odd, all_odd, any_large, all_small;
};
bool run_votes(Votes* out);

// out[i] = in[n - 1 - i] through dynamic shared memory, one block of n threads.
bool run_reverse(const float* in, float* out, unsigned n);

// The same with static shared memory of 8 x 32 elements and a block of (32, 8).
bool run_transposed_indices(float* out);

// out[b * threads + t] = position of thread t of block b in the order of running.
bool run_order(int* out, int* counter, unsigned blocks, unsigned threads);

// out[0] = an element of shared memory that nobody wrote.
bool run_read_of_unwritten(float* out);

// A kernel of one thread that does nothing.
bool run_empty(unsigned grid_x, unsigned grid_y, unsigned block_x, unsigned shared_bytes);

// Declares more static shared memory than there is.
bool run_too_much_shared();

// Every lane names all lanes, but odd and even lanes call from two branches.
bool run_shuffle_in_two_branches(int* out);

// Lanes from 20 on return before the barrier.
bool run_early_return(int* out);

// The upper half of the warp shuffles with a mask of the lower half.
bool run_outside_own_mask(int* out);

// The lower half reads from the upper half, which takes no part.
bool run_read_of_absent_lane(int* out);

// Neighbours exchange values through shared memory with __syncwarp in between; out[i] = i ^ 1.
bool run_exchange_in_warp(int* out);

}  // namespace drydock::kernels::simt
