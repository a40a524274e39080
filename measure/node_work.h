// What the nodes of a recorded program compute and move, from their shapes.
#pragma once

#include "core/program.h"

namespace drydock::measure {

struct NodeWork {
    // A multiply-add is two, any other arithmetic or function of an element one; what nodes without
    // arithmetic do (copies, random numbers) is none.
    double flop = 0;
    // Of every operand once, read or written, and of one that is overwritten twice. An element that
    // broadcasting repeats is one, and of a table the rows that are taken.
    double bytes = 0;
};

NodeWork node_work(const Program& program, const Node& node);

// Whether arithmetic limits it, not memory: products and attention.
bool is_product(Op op);

}  // namespace drydock::measure
