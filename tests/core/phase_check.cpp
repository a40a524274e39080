#include "tests/core/phase_check.h"

#include <fmt/format.h>

#include <vector>

#include "core/row_local.h"

namespace drydock::test {
namespace {

struct Access {
    BufferId space;            // a buffer, or -1 for planned memory
    std::int64_t first, last;  // bytes, both included
    bool writes;
    std::int64_t base, row;  // where rows begin, and their bytes; 0 for what is touched as a whole
};

class Reader {
  public:
    Reader(const Executable& executable, std::size_t index)
        : program_(executable.program(index)), plan_(executable.plan(index)) {}

    std::vector<Access> accesses(const Node& node) const {
        std::vector<Access> all;
        if (node.op == Op::detach || node.op == Op::reshape || node.op == Op::slice ||
            node.op == Op::broadcast) {
            return all;
        }
        if (node.op == Op::store && plan_.placed[at(node.inputs[0])] != kNone) return all;
        for (int i = 0; i < node.input_count; ++i) {
            const bool by_rows = row_count(program_, node) > 0 &&
                                 rows_served(program_, node, i) == 1 &&
                                 rows_lie_in_root(program_, node.inputs[at(i)]);
            all.push_back(access(node.inputs[at(i)], info(node.op).writes >> i & 1U,
                                 by_rows ? row_count(program_, node) : 0));
        }
        for (int i = 0; i < node.output_count; ++i) {
            all.push_back(access(node.outputs[at(i)], true, row_count(program_, node)));
        }
        return all;
    }

  private:
    static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

    Access access(ValueId id, bool writes, std::int64_t rows) const {
        const Value& v = program_.value(id);
        const ValueId root = program_.root(id);
        const Value& r = program_.value(root);
        const auto size = static_cast<std::int64_t>(size_of(v.dtype));
        Access a{-1, 0, 0, writes, 0, 0};
        const ValueId placed = plan_.placed[at(root)];
        if (placed != kNone) {
            a.space = program_.value(placed).buffer;
            a.base = program_.value(placed).offset * size;
        } else if (v.storage == Storage::persistent) {
            a.space = v.buffer;
        } else {
            a.base = plan_.blocks[at(plan_.block[at(root)])].offset;
        }
        a.first = a.base + (id == root && v.storage != Storage::persistent ? 0 : v.offset * size);
        a.last = a.first + extent(v) * size - 1;
        if (rows > 0 && v.storage != Storage::persistent) a.row = r.shape.size() / rows * size;
        return a;
    }

    const Program& program_;
    const Plan& plan_;
};

bool meet(const Access& a, const Access& b) {
    return a.space == b.space && a.first <= b.last && b.first <= a.last && (a.writes || b.writes);
}

}  // namespace

std::string conflict_in_phases(const Executable& executable, std::size_t index) {
    const Program& program = executable.program(index);
    const Schedule& schedule = executable.schedule(index);
    const Reader reader(executable, index);
    const auto count = static_cast<NodeId>(program.nodes.size());
    for (NodeId a = 0; a < count; ++a) {
        for (NodeId b = a + 1; b < count; ++b) {
            if (schedule.phase[static_cast<std::size_t>(a)] !=
                schedule.phase[static_cast<std::size_t>(b)]) {
                break;
            }
            for (const Access& x : reader.accesses(program.node(a))) {
                for (const Access& y : reader.accesses(program.node(b))) {
                    const bool rows =
                        schedule.chained(a, b) && x.row > 0 && x.row == y.row && x.base == y.base;
                    if (meet(x, y) && !rows) {
                        return fmt::format("nodes {} and {}: {}; {}", a, b,
                                           program.describe(program.node(a)),
                                           program.describe(program.node(b)));
                    }
                }
            }
        }
    }
    return "";
}

}  // namespace drydock::test
