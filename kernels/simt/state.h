// What the runtime and the race detector share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/simt/emulated.h"
#include "kernels/simt/runtime.h"

namespace drydock::kernels::simt::detail {

// One access as the race detector remembers it. Launches count from 1; 0 is "never".
struct Access {
    std::uint32_t launch = 0, block = 0, epoch = 0, clock = 0, thread = 0;
    const void* pc = nullptr;
};
struct Cell {
    Access writer;
    Access readers[2];
};
constexpr std::size_t kCellBytes = 2;

// Memory that threads share: a device allocation, or the shared memory of the running block.
struct Memory {
    std::byte* base;
    std::size_t bytes;
    bool shared;
    std::vector<Cell> cells;  // made by the race detector when first touched
};

// Where the running thread stands. Two accesses of one block are ordered by a barrier between them
// (`epoch` counts those), those of one warp also by __syncwarp: clocks[l] is the largest clock of
// lane l that this thread knows to be over.
struct Position {
    Access now;  // without pc
    const std::uint32_t* clocks;
};

// False outside of a kernel.
bool running_position(Position& position);

// Null for memory of no interest: stacks, globals.
Memory* find_memory(const void* p);

void add_report(Finding finding, std::string text);

// "thread (1,0,0) of block (0,0,0)", for the current launch.
std::string name_of_thread(std::uint32_t thread, std::uint32_t block);

}  // namespace drydock::kernels::simt::detail
