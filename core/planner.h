// Where each value of a program lies. Decided once; nothing moves afterwards.
#pragma once

#include "core/schedule.h"

namespace drydock {

struct PlanOptions {
    bool in_place = true;         // let elementwise nodes overwrite an input at its last use
    bool place_gradients = true;  // compute a stored gradient where it is to be stored
};

// A piece of planned memory and the nodes between whose phases it is in use, both included.
struct Block {
    NodeId first, last;
    std::int64_t offset, bytes;
};

struct Plan {
    std::vector<std::int32_t> block;  // by ValueId: index into blocks, -1 when not planned
    std::vector<ValueId> placed;      // by ValueId: the persistent value it lies in, or kNone
    std::vector<Block> blocks;
    std::int64_t bytes = 0;  // of the planned arena
};

// Liveness, in-place reuse, and first-fit offsets at multiples of kAlignment. Blocks that are in
// use in one phase do not overlap. A value whose rows were last used by nodes of a chain leaves its
// block to a later value of that chain with rows as long.
Plan plan(const Program& program, const Schedule& schedule, const PlanOptions& options = {});

}  // namespace drydock
