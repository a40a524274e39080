// Which nodes of a program run at once. Between two phases all threads meet; inside one, every
// thread takes pieces of work as they come.
#pragma once

#include <vector>

#include "core/program.h"

namespace drydock {

struct Schedule {
    std::vector<std::int32_t> phase;  // by NodeId, ascending
    // By NodeId: the rows of a node whose rows follow each other through all nodes of its phase
    // that have as many; 0 where the node needs all that earlier phases made, and nothing of its
    // own.
    std::vector<std::int64_t> rows;

    // Whether a and b, of one phase, run in this order for every row.
    bool chained(NodeId a, NodeId b) const {
        const auto at = [](NodeId n) { return static_cast<std::size_t>(n); };
        return phase[at(a)] == phase[at(b)] && rows[at(a)] != 0 && rows[at(a)] == rows[at(b)];
    }
};

// One node after the other.
Schedule in_order(const Program& program);

// Puts every node into the first phase that what it reads allows, and sources, random draws and
// packed weights for example, into the last one before their use; then moves the nodes of the
// program into the order of their phases. Nodes that touch the same persistent memory, one of them
// writing, keep their order. None moves before an optimizer step that it was recorded after: the
// networks of an update that are trained in turn would not fit into the cache together.
Schedule schedule(Program& program);

}  // namespace drydock
