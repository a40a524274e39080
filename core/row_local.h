// Nodes each of whose output rows depends on the same row of some inputs and on the whole of the
// others: a thread can take some rows through several of them while they are in its cache.
#pragma once

#include "core/program.h"

namespace drydock {

// Rows [first, last) of a node's outputs.
struct RowRange {
    std::int64_t first, last;
};

// Which input of a linear node is its residual, or -1. Packed weights come after it.
int residual_input(const Node& node);

// Rows of the node's outputs, their first dimension, where they can be computed apart from each
// other, in the bits that they have together; else 0.
std::int64_t row_count(const Program& program, const Node& node);

// Pieces of such a node begin at multiples of so many rows.
std::int64_t row_multiple(const Program& program, const Node& node);

// For such a node, how many rows of the outputs, in succession, depend on one row of input i; 0
// where all depend on all of it.
std::int64_t rows_served(const Program& program, const Node& node, int i);

// Whether rows [first, last) of value `id` lie in rows [first, last) of its root, which has as
// many.
bool rows_lie_in_root(const Program& program, ValueId id);

// Whether node `reader` can follow `writer`, which made the root of its input i, row by row.
bool follows_by_rows(const Program& program, const Node& writer, const Node& reader, int i);

// Those rows of operand v on which the rows of `range` depend, `served` of these on one of those.
Value rows_of(const Value& v, const RowRange& range, std::int64_t served);

}  // namespace drydock
