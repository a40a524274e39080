#include "core/planner.h"

#include <algorithm>
#include <limits>

#include "core/arena.h"
#include "core/row_local.h"

namespace drydock {
namespace {

constexpr NodeId kEnd = std::numeric_limits<NodeId>::max();

std::int64_t bytes_of(const Value& v) {
    return v.shape.size() * static_cast<std::int64_t>(size_of(v.dtype));
}

class Planner {
  public:
    Planner(const Program& program, const Schedule& schedule, const PlanOptions& options)
        : program_(program),
          schedule_(schedule),
          options_(options),
          last_use_(program.values.size(), -1),
          users_(program.values.size()) {
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
    // A block whose value had its last use at node `chain`.
    struct Retired {
        std::int32_t block;
        NodeId chain;
        std::int64_t bytes;  // of the value
    };

    static std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }
    ValueId input(const Node& node, int i) const { return node.inputs[index(i)]; }

    void find_last_uses();
    void place_gradients();
    bool lies_in(ValueId id, const Value& to) const;
    bool may_place(NodeId store, ValueId source, const Value& to) const;
    std::int32_t phase(NodeId n) const { return schedule_.phase[index(n)]; }
    bool uses_by_rows(NodeId id, ValueId value) const;
    void make_blocks();
    bool alone_at(ValueId value, NodeId id) const;
    std::int32_t block_of_chain(NodeId id, std::int64_t bytes);
    void retire(NodeId id);
    std::int32_t reusable_block(NodeId id, ValueId output) const;
    void assign_offsets();

    const Program& program_;
    const Schedule& schedule_;
    const PlanOptions& options_;
    std::vector<NodeId> last_use_;            // by ValueId of planned values
    std::vector<std::vector<NodeId>> users_;  // by ValueId of planned values, ascending
    std::vector<Retired> retired_;
    Plan plan_;
};

void Planner::find_last_uses() {
    for (std::size_t v = 0; v < last_use_.size(); ++v) last_use_[v] = program_.values[v].def;
    for (std::size_t n = 0; n < program_.nodes.size(); ++n) {
        const Node& node = program_.nodes[n];
        for (int i = 0; i < node.input_count; ++i) {
            const ValueId root = program_.root(input(node, i));
            last_use_[index(root)] = static_cast<NodeId>(n);
            users_[index(root)].push_back(static_cast<NodeId>(n));
        }
    }
    for (std::size_t v = 0; v < last_use_.size(); ++v) {
        if (program_.values[v].output) last_use_[v] = kEnd;
    }
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
    const auto first =
        std::lower_bound(schedule_.phase.begin(), schedule_.phase.end(), phase(v.def));
    const std::int32_t last = phase(last_use_[index(source)]);
    for (auto n = static_cast<NodeId>(first - schedule_.phase.begin());
         index(n) < program_.nodes.size() && phase(n) <= last; ++n) {
        if (n == store) continue;
        const Node& node = program_.node(n);
        for (int i = 0; i < node.input_count; ++i) {
            // After the store, others may read what was stored.
            const bool harmless = phase(n) > phase(store) && !(info(node.op).writes >> i & 1U);
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
        if (other_view || !alone_at(candidate, id)) continue;
        // The block must not outlive this node through another value that shares it.
        if (plan_.blocks[index(plan_.block[index(candidate)])].last == id) {
            return plan_.block[index(candidate)];
        }
    }
    return -1;
}

// Whether node `id` reads of every row of `value` no more than it needs for that row of its output.
bool Planner::uses_by_rows(NodeId id, ValueId value) const {
    const Node& node = program_.node(id);
    for (int i = 0; i < node.input_count; ++i) {
        if (program_.root(input(node, i)) != value) continue;
        if (rows_served(program_, node, i) != 1 || !rows_lie_in_root(program_, input(node, i))) {
            return false;
        }
    }
    return true;
}

// Whether nobody else touches `value` in the phase of node `id`, but for nodes that come before it
// for every row.
bool Planner::alone_at(ValueId value, NodeId id) const {
    const auto apart = [&](NodeId other) {
        return other == id || phase(other) != phase(id) ||
               (schedule_.chained(other, id) && uses_by_rows(other, value));
    };
    return apart(program_.value(value).def) &&
           std::all_of(users_[index(value)].begin(), users_[index(value)].end(), apart);
}

// A block that a chain is done with and that a value of node `id` may take, or -1.
std::int32_t Planner::block_of_chain(NodeId id, std::int64_t bytes) {
    if (schedule_.rows[index(id)] == 0) return -1;
    for (std::size_t r = retired_.size(); r-- > 0;) {
        if (phase(retired_[r].chain) != phase(id)) break;
        if (retired_[r].bytes != bytes || !schedule_.chained(retired_[r].chain, id)) continue;
        const std::int32_t block = retired_[r].block;
        retired_.erase(retired_.begin() + static_cast<std::ptrdiff_t>(r));
        return block;
    }
    return -1;
}

// Hands on the blocks of inputs that node `id` was the last to use.
void Planner::retire(NodeId id) {
    if (schedule_.rows[index(id)] == 0) return;
    const Node& node = program_.node(id);
    for (int i = 0; i < node.input_count; ++i) {
        const ValueId value = program_.root(input(node, i));
        const std::int32_t block = plan_.block[index(value)];
        if (block < 0 || last_use_[index(value)] != id || plan_.blocks[index(block)].last != id) {
            continue;
        }
        const bool listed = std::any_of(retired_.begin(), retired_.end(),
                                        [&](const Retired& r) { return r.block == block; });
        if (listed || !uses_by_rows(id, value) || !alone_at(value, id)) continue;
        retired_.push_back({block, id, bytes_of(program_.value(value))});
    }
}

void Planner::make_blocks() {
    for (std::size_t n = 0; n < program_.nodes.size(); ++n) {
        const Node& node = program_.nodes[n];
        const auto id = static_cast<NodeId>(n);
        for (int i = 0; i < node.output_count; ++i) {
            const ValueId value = node.outputs[index(i)];
            const Value& v = program_.value(value);
            if (v.storage != Storage::planned || plan_.placed[index(value)] != kNone) continue;
            const std::int64_t bytes = bytes_of(v);
            std::int32_t reused =
                options_.in_place && node.output_count == 1 ? reusable_block(id, value) : -1;
            if (reused < 0 && options_.in_place) reused = block_of_chain(id, bytes);
            const NodeId last = last_use_[index(value)];
            if (reused >= 0) {
                plan_.block[index(value)] = reused;
                plan_.blocks[index(reused)].last = last;
                continue;
            }
            const std::int64_t align = kAlignment;
            plan_.block[index(value)] = static_cast<std::int32_t>(plan_.blocks.size());
            plan_.blocks.push_back({id, last, 0, (bytes + align - 1) / align * align});
        }
        retire(id);
    }
}

void Planner::assign_offsets() {
    std::vector<Block*> live;  // by offset
    for (Block& block : plan_.blocks) {
        std::erase_if(live, [&](const Block* b) {
            return b->last != kEnd && phase(b->last) < phase(block.first);
        });
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

Plan plan(const Program& program, const Schedule& schedule, const PlanOptions& options) {
    return Planner(program, schedule, options).run();
}

}  // namespace drydock
