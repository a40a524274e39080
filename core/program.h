// A recorded update: an append-only list of nodes over values. The planner and the lowering read
// it; nothing in it is a pointer to memory.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/op.h"
#include "core/shape.h"
#include "core/state.h"
#include "kernels/api/linear.h"

namespace drydock {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
constexpr ValueId kNone = -1;

enum class Storage : std::uint8_t {
    planned,     // temporary memory; the planner chooses where
    persistent,  // a part of a State buffer
    view,        // a part of another planned value
};

struct Value {
    DType dtype;
    Shape shape;
    Strides strides;
    Storage storage;
    BufferId buffer = -1;     // persistent: which
    ValueId base = kNone;     // view: of which planned value (never itself a view)
    std::int64_t offset = 0;  // elements from the start of the buffer or base
    NodeId def = -1;          // the node that makes it, -1 for persistent values
    bool differentiable = false;
    bool output = false;  // kept until the end of the program
};

// Parameters of a node that are fixed for all replays. What each means is said by the op's builder.
struct Attributes {
    std::uint8_t kind = 0;
    bool flag = false;
    std::int32_t axis = 0;
    std::int64_t n = 0;
    double p = 0.0, q = 0.0;
    std::uint64_t stream = 0;
    // Of linear and linear_input_gradient: the weights follow as a last input, packed.
    bool packed = false;
};

constexpr int kMaxInputs = 8;
constexpr int kMaxOutputs = 2;

struct Node {
    Op op;
    Attributes attributes;
    std::array<ValueId, kMaxInputs> inputs;
    std::array<ValueId, kMaxOutputs> outputs;
    int input_count = 0;
    int output_count = 0;
    std::int32_t label = -1;  // index into Program::labels
};

struct Program {
    const State* state = nullptr;
    std::vector<Value> values;
    std::vector<Node> nodes;
    std::vector<std::string> labels;
    kernels::Precision precision = kernels::Precision::full;  // of its linear layers' products

    const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
    Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
    const Node& node(NodeId id) const { return nodes[static_cast<std::size_t>(id)]; }
    // The value whose memory `id` shows: itself, or its base.
    ValueId root(ValueId id) const {
        return value(id).storage == Storage::view ? value(id).base : id;
    }
    // "linear v.layers.0 (256, 17), (256, 17), (256) -> (256, 256)"
    std::string describe(const Node& node) const;
    // One line per node.
    std::string dump() const;
};

// Elements from the first to the last that a value touches.
std::int64_t extent(const Value& v);
// Whether two persistent values share memory.
bool overlap(const Value& a, const Value& b);

}  // namespace drydock
