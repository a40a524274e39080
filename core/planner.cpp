#include "core/planner.h"

#include <algorithm>
#include <limits>

#include "core/arena.h"

namespace drydock {
namespace {

constexpr NodeId kEnd = std::numeric_limits<NodeId>::max();

class Planner {
  public:
    Planner(const Program& program, const PlanOptions& options)
        : program_(program), options_(options), last_use_(program.values.size(), -1) {
        plan_.block.assign(program.values.size(), -1);
        plan_.placed.assign(program.values.size(), kNone);
    }

    Plan run() {
        find_last_uses();
        if (options_.place_gradients) place_gradients();
        make_blocks();
        assign_offsets();
        return std::move(plan_);
    }

  private:
    static std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }
    ValueId input(const Node& node, int i) const { return node.inputs[index(i)]; }

    void find_last_uses();
    void place_gradients();
    bool lies_in(ValueId id, const Value& to) const;
    bool may_place(NodeId store, ValueId source, const Value& to) const;
    void make_blocks();
    std::int32_t reusable_block(NodeId id, ValueId output) const;
    void assign_offsets();

    const Program& program_;
    const PlanOptions& options_;
    std::vector<NodeId> last_use_;  // by ValueId of planned values
    Plan plan_;
};

void Planner::find_last_uses() {
    for (std::size_t v = 0; v < last_use_.size(); ++v) last_use_[v] = program_.values[v].def;
    for (std::size_t n = 0; n < program_.nodes.size(); ++n) {
        const Node& node = program_.nodes[n];
        for (int i = 0; i < node.input_count; ++i) {
            last_use_[index(program_.root(input(node, i)))] = static_cast<NodeId>(n);
        }
    }
    for (std::size_t v = 0; v < last_use_.size(); ++v) {
        if (program_.values[v].output) last_use_[v] = kEnd;
    }
}

// Elements from the first to the last that a value of these strides touches.
std::int64_t extent(const Value& v) {
    std::int64_t last = 0;
    for (int i = 0; i < v.shape.rank(); ++i) {
        last += (v.shape[i] - 1) * v.strides[static_cast<std::size_t>(i)];
    }
    return v.shape.size() == 0 ? 0 : last + 1;
}

bool overlap(const Value& a, const Value& b) {
    return a.buffer == b.buffer && a.offset < b.offset + extent(b) &&
           b.offset < a.offset + extent(a);
}

// Whether `id` lies in memory that `to` covers: as a part of the buffer, or placed there.
bool Planner::lies_in(ValueId id, const Value& to) const {
    const Value& v = program_.value(id);
    if (v.storage == Storage::persistent) return overlap(v, to);
    const ValueId place = plan_.placed[index(program_.root(id))];
    return place != kNone && overlap(program_.value(place), to);
}

// A value may be computed in its destination when nobody else touches that memory from the value's
// definition to its last use.
bool Planner::may_place(NodeId store, ValueId source, const Value& to) const {
    const Value& v = program_.value(source);
    if (v.storage != Storage::planned || v.output || v.dtype != to.dtype ||
        !(v.shape == to.shape) || !is_contiguous(to.shape, to.strides) ||
        plan_.placed[index(source)] != kNone) {
        return false;
    }
    for (NodeId n = v.def; n <= last_use_[index(source)]; ++n) {
        if (n == store) continue;
        const Node& node = program_.node(n);
        for (int i = 0; i < node.input_count; ++i) {
            // After the store, others may read what was stored.
            const bool harmless = n > store && !(info(node.op).writes >> i & 1U);
            if (lies_in(input(node, i), to) && !harmless) return false;
        }
        for (int i = 0; i < node.output_count; ++i) {
            if (lies_in(node.outputs[index(i)], to)) return false;
        }
    }
    return true;
}

void Planner::place_gradients() {
    for (std::size_t n = 0; n < program_.nodes.size(); ++n) {
        const Node& node = program_.nodes[n];
        if (node.op != Op::store) continue;
        if (may_place(static_cast<NodeId>(n), node.inputs[0], program_.value(node.inputs[1]))) {
            plan_.placed[index(node.inputs[0])] = node.inputs[1];
        }
    }
}

// The block of an input that `output` may overwrite, or -1.
std::int32_t Planner::reusable_block(NodeId id, ValueId output) const {
    const Node& node = program_.node(id);
    const Value& out = program_.value(output);
    for (int i = 0; i < node.input_count; ++i) {
        const ValueId candidate = input(node, i);
        const Value& v = program_.value(candidate);
        if (!(info(node.op).in_place >> i & 1U) || v.storage != Storage::planned || v.output ||
            plan_.block[index(candidate)] < 0 || v.dtype != out.dtype || !(v.shape == out.shape) ||
            last_use_[index(candidate)] != id) {
            continue;
        }
        // Another view of the same memory, a broadcast say, would be read after it was overwritten.
        bool other_view = false;
        for (int k = 0; k < node.input_count; ++k) {
            const ValueId other = input(node, k);
            other_view = other_view || (other != candidate && program_.root(other) == candidate);
        }
        // The block must not outlive this node through another value that shares it.
        if (!other_view && plan_.blocks[index(plan_.block[index(candidate)])].last == id) {
            return plan_.block[index(candidate)];
        }
    }
    return -1;
}

void Planner::make_blocks() {
    for (std::size_t n = 0; n < program_.nodes.size(); ++n) {
        const Node& node = program_.nodes[n];
        const auto id = static_cast<NodeId>(n);
        for (int i = 0; i < node.output_count; ++i) {
            const ValueId value = node.outputs[index(i)];
            const Value& v = program_.value(value);
            if (v.storage != Storage::planned || plan_.placed[index(value)] != kNone) continue;
            const std::int32_t reused =
                options_.in_place && node.output_count == 1 ? reusable_block(id, value) : -1;
            const NodeId last = last_use_[index(value)];
            if (reused >= 0) {
                plan_.block[index(value)] = reused;
                plan_.blocks[index(reused)].last = last;
                continue;
            }
            const auto bytes = v.shape.size() * static_cast<std::int64_t>(size_of(v.dtype));
            const std::int64_t align = kAlignment;
            plan_.block[index(value)] = static_cast<std::int32_t>(plan_.blocks.size());
            plan_.blocks.push_back({id, last, 0, (bytes + align - 1) / align * align});
        }
    }
}

void Planner::assign_offsets() {
    std::vector<Block*> live;  // by offset
    for (Block& block : plan_.blocks) {
        std::erase_if(live, [&](const Block* b) { return b->last < block.first; });
        std::int64_t offset = 0;
        auto place = live.begin();
        for (; place != live.end(); ++place) {
            if ((*place)->offset - offset >= block.bytes) break;
            offset = std::max(offset, (*place)->offset + (*place)->bytes);
        }
        block.offset = offset;
        live.insert(place, &block);
        plan_.bytes = std::max(plan_.bytes, offset + block.bytes);
    }
}

}  // namespace

Plan plan(const Program& program, const PlanOptions& options) {
    return Planner(program, options).run();
}

}  // namespace drydock
