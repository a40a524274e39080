#include "core/schedule.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/row_local.h"

namespace drydock {
namespace {

bool is_view(Op op) {
    return op == Op::detach || op == Op::reshape || op == Op::slice || op == Op::broadcast;
}

class Scheduler {
  public:
    explicit Scheduler(Program& program)
        : program_(program), phase_(program.nodes.size(), 0), late_(program.nodes.size(), kNever) {}

    Schedule run() {
        place_early();
        find_sources();
        place_sources_late();
        return reorder();
    }

  private:
    static constexpr std::int32_t kNever = std::numeric_limits<std::int32_t>::max();

    // A use of persistent memory.
    struct Access {
        NodeId node;
        ValueId value;
        bool writes;
    };

    static std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }
    const Node& node(std::size_t n) const { return program_.nodes[n]; }
    // The node that makes the memory of input i, or -1.
    NodeId maker(const Node& node, int i) const {
        return program_.value(program_.root(node.inputs[index(i)])).def;
    }
    std::int32_t distance(const Node& writer, const Node& reader, int i) const {
        return follows_by_rows(program_, writer, reader, i) ? 0 : 1;
    }

    void place_early();
    std::int32_t after_accesses(NodeId id);
    void find_sources();
    void place_sources_late();
    Schedule reorder();

    Program& program_;
    std::vector<std::int32_t> phase_;
    std::vector<std::int32_t> late_;  // the last phase that the uses of a node allow
    std::vector<Access> accesses_;
    std::vector<bool> source_;
};

// The first phase after all accesses that the node must follow.
std::int32_t Scheduler::after_accesses(NodeId id) {
    const Node& n = node(index(id));
    std::int32_t first = 0;
    const std::size_t before = accesses_.size();
    for (int i = 0; i < n.input_count; ++i) {
        const ValueId value = n.inputs[index(i)];
        const Value& v = program_.value(value);
        if (v.storage != Storage::persistent) continue;
        const bool writes = info(n.op).writes >> i & 1U;
        for (std::size_t a = 0; a < before; ++a) {
            const Access& access = accesses_[a];
            if ((writes || access.writes) && overlap(v, program_.value(access.value))) {
                first = std::max(first, phase_[index(access.node)] + 1);
            }
        }
        accesses_.push_back({id, value, writes});
    }
    return first;
}

void Scheduler::place_early() {
    std::int32_t part = 0;  // the phase of the last optimizer step
    for (std::size_t n = 0; n < phase_.size(); ++n) {
        if (is_view(node(n).op)) {
            const NodeId from = maker(node(n), 0);
            phase_[n] = from >= 0 ? phase_[index(from)] : 0;
            continue;
        }
        std::int32_t first = std::max(part, after_accesses(static_cast<NodeId>(n)));
        for (int i = 0; i < node(n).input_count; ++i) {
            const NodeId from = maker(node(n), i);
            if (from < 0) continue;
            first = std::max(first, phase_[index(from)] + distance(node(index(from)), node(n), i));
        }
        phase_[n] = first;
        if (node(n).op == Op::adam_step) part = first;
    }
}

// Sources read nothing but persistent memory and other sources.
void Scheduler::find_sources() {
    source_.assign(phase_.size(), false);
    for (std::size_t n = 0; n < phase_.size(); ++n) {
        const Op op = node(n).op;
        bool source = op == Op::random || op == Op::fill || op == Op::pack_weights ||
                      op == Op::unary || op == Op::binary || op == Op::where || is_view(op);
        for (int i = 0; i < node(n).input_count; ++i) {
            const NodeId from = maker(node(n), i);
            source = source && (from < 0 || source_[index(from)]);
        }
        source_[n] = source;
    }
}

void Scheduler::place_sources_late() {
    for (const Access& write : accesses_) {
        if (!write.writes) continue;
        for (const Access& read : accesses_) {
            if (read.node >= write.node || !source_[index(read.node)]) continue;
            if (!overlap(program_.value(read.value), program_.value(write.value))) continue;
            late_[index(read.node)] =
                std::min(late_[index(read.node)], phase_[index(write.node)] - 1);
        }
    }
    for (std::size_t n = phase_.size(); n-- > 0;) {
        if (is_view(node(n).op)) continue;
        if (source_[n] && late_[n] != kNever) phase_[n] = std::max(phase_[n], late_[n]);
        for (int i = 0; i < node(n).input_count; ++i) {
            const NodeId from = maker(node(n), i);
            if (from < 0) continue;
            const std::int32_t last = phase_[n] - distance(node(index(from)), node(n), i);
            late_[index(from)] = std::min(late_[index(from)], last);
        }
    }
}

Schedule Scheduler::reorder() {
    const std::size_t count = phase_.size();
    for (std::size_t n = 0; n < count; ++n) {  // views go with what they show
        if (!is_view(node(n).op)) continue;
        const NodeId from = maker(node(n), 0);
        if (from >= 0) phase_[n] = phase_[index(from)];
    }
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return phase_[a] < phase_[b]; });
    std::vector<NodeId> moved(count);
    std::vector<Node> nodes;
    Schedule schedule;
    for (const std::size_t n : order) {
        moved[n] = static_cast<NodeId>(nodes.size());
        nodes.push_back(program_.nodes[n]);
        schedule.phase.push_back(phase_[n]);
        schedule.rows.push_back(row_count(program_, program_.nodes[n]));
    }
    program_.nodes = std::move(nodes);
    for (Value& v : program_.values) {
        if (v.def >= 0) v.def = moved[index(v.def)];
    }
    return schedule;
}

}  // namespace

Schedule in_order(const Program& program) {
    Schedule schedule;
    schedule.phase.resize(program.nodes.size());
    std::iota(schedule.phase.begin(), schedule.phase.end(), 0);
    schedule.rows.assign(program.nodes.size(), 0);
    return schedule;
}

Schedule schedule(Program& program) { return Scheduler(program).run(); }

}  // namespace drydock
