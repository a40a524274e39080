// Rewrites of a recorded program before it is planned. Each pass says whether it keeps every bit;
// each has its own test. With no passes, replay equals eager execution bit for bit.
#pragma once

#include "core/program.h"

namespace drydock {

struct Passes {
    bool remove_dead = true;
    bool fuse_activation_gradient = true;
    bool fuse_adam_polyak = true;
    bool pack_weights = true;

    static Passes none() { return {false, false, false, false}; }
};

// Removes nodes that neither write persistent memory nor lead to one that does or to a kept value.
// Bit-exact. Returns the number of nodes removed.
int remove_dead(Program& program);

// Lets linear_input_gradient apply the derivative of the activation below in its epilogue, where
// the next use of its output is that product alone. Bit-exact for relu and gelu; for tanh within
// the rounding of one product.
int fuse_activation_gradient(Program& program);

// Lets adam_step also average into the target, where nothing touches the target between the step
// and the Polyak node. Bit-exact.
int fuse_adam_polyak(Program& program);

// Packs the weights of linear layers once for all products that read them until they are written
// again, where they would be packed often. In f32. Bit-exact.
int pack_weights(Program& program);

void apply(const Passes& passes, Program& program);

}  // namespace drydock
