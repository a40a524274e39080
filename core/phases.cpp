#include "core/phases.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/row_local.h"

namespace drydock {
namespace {

// In the unit of CutOptions::little.
double work(const Program& program, const Node& node) {
    const auto size = [&](ValueId id) {
        return static_cast<double>(program.value(id).shape.size());
    };
    double most = 0;
    for (int i = 0; i < node.output_count; ++i) {
        most = std::max(most, size(node.outputs[static_cast<std::size_t>(i)]));
    }
    for (int i = 0; i < node.input_count; ++i) {
        const ValueId id = node.inputs[static_cast<std::size_t>(i)];
        const bool table = node.op == Op::gather_rows && i == 0;
        if (!table && node.op != Op::store_metric) most = std::max(most, size(id));
    }
    switch (node.op) {
        case Op::linear:
        case Op::linear_input_gradient:
        case Op::matmul:
            return most + size(node.outputs[0]) *
                              static_cast<double>(program.value(node.inputs[0]).shape[1]) / 8;
        case Op::linear_weight_gradient:
            return most + size(node.outputs[0]) *
                              static_cast<double>(program.value(node.inputs[0]).shape[0]) / 8;
        case Op::random:
            return 32 * most;
        case Op::unary:
            return 4 * most;  // a transcendental function, as it may be
        default:
            return most;
    }
}

bool packs_weights(const Program& program, const Node& node) {
    const bool forward = node.op == Op::linear;
    if ((!forward && node.op != Op::linear_input_gradient) || node.attributes.packed) return false;
    const Shape& w = program.value(node.inputs[1]).shape;
    return kernels::worth_packing(
        forward ? kernels::PackedFor::forward : kernels::PackedFor::input_gradient, w[1], w[0]);
}

class Cutter {
  public:
    Cutter(const Lowered& lowered, int threads, const CutOptions& options, CallStore& calls,
           std::deque<std::vector<Step>>& kept)
        : program_(lowered.program),
          schedule_(lowered.schedule),
          plan_(lowered.plan),
          addresses_(lowered.addresses),
          threads_(threads),
          options_(options),
          calls_(calls),
          kept_(kept),
          steps_(program_.nodes.size()) {
        for (const Step& step : lowered.steps) {
            std::span<const Step>& of = steps_[static_cast<std::size_t>(step.node)];
            of = {of.empty() ? &step : of.data(), of.size() + 1};
        }
    }

    std::vector<Phase> run() {
        const auto count = static_cast<NodeId>(program_.nodes.size());
        for (NodeId first = 0, last = 0; first < count; first = last) {
            while (last < count && phase(last) == phase(first)) ++last;
            cut_phase(first, last);
        }
        return std::move(phases_);
    }

  private:
    std::int32_t phase(NodeId id) const { return schedule_.phase[static_cast<std::size_t>(id)]; }
    std::span<const Step> steps(NodeId id) const { return steps_[static_cast<std::size_t>(id)]; }
    double work_of(const std::vector<NodeId>& nodes) const {
        double sum = 0;
        for (const NodeId id : nodes) sum += work(program_, program_.node(id));
        return sum;
    }

    void cut_phase(NodeId first, NodeId last);
    void cut_chain(const std::vector<NodeId>& chain, std::int64_t rows, Phase& phase);
    std::int64_t rows_of_piece(const std::vector<NodeId>& chain, std::int64_t rows) const;
    void cut_units(const Step& step, Phase& phase) const;
    void finish(Phase phase);

    const Program& program_;
    const Schedule& schedule_;
    const Plan& plan_;
    Addresses addresses_;
    int threads_;
    const CutOptions& options_;
    CallStore& calls_;
    std::deque<std::vector<Step>>& kept_;
    std::vector<std::span<const Step>> steps_;  // by NodeId
    std::vector<Phase> phases_;
};

void Cutter::cut_phase(NodeId first, NodeId last) {
    std::map<std::int64_t, std::vector<NodeId>> tasks;  // by rows; chains, and whole nodes under 0
    for (NodeId id = first; id < last; ++id) {
        if (!steps(id).empty()) tasks[schedule_.rows[static_cast<std::size_t>(id)]].push_back(id);
    }
    std::vector<NodeId> little, whole;
    Phase phase;
    for (const auto& [rows, nodes] : tasks) {
        if (rows == 0) {
            for (const NodeId id : nodes) {
                const bool small = work(program_, program_.node(id)) < options_.little;
                (small ? little : whole).push_back(id);
            }
        } else if (work_of(nodes) < options_.little) {
            little.insert(little.end(), nodes.begin(), nodes.end());
        } else {
            cut_chain(nodes, rows, phase);
        }
    }
    if (!little.empty()) {
        std::sort(little.begin(), little.end());
        std::vector<Step>& all = kept_.emplace_back();
        for (const NodeId id : little) all.insert(all.end(), steps(id).begin(), steps(id).end());
        phase.pieces.push_back({all});
    }
    // The first calls of all nodes, then their second ones: those of a node depend on each other.
    std::size_t call = 0;
    do {
        for (const NodeId id : whole) {
            if (call < steps(id).size()) cut_units(steps(id)[call], phase);
        }
        finish(std::move(phase));
        phase = {};
        ++call;
    } while (std::any_of(whole.begin(), whole.end(),
                         [&](NodeId id) { return call < steps(id).size(); }));
}

// Few rows keep what they make in the cache; but a product that reads packed weights and is not
// given any packs them for every piece, so that there a piece is a thread's share, if that is not
// too large.
std::int64_t Cutter::rows_of_piece(const std::vector<NodeId>& chain, std::int64_t rows) const {
    constexpr std::int64_t kLeast = 32, kMost = 128, kLeastPacking = 64, kMostPacking = 264;
    std::int64_t multiple = 1;
    bool packs = false;
    for (const NodeId id : chain) {
        const Node& node = program_.node(id);
        multiple = std::lcm(multiple, row_multiple(program_, node));
        packs = packs || packs_weights(program_, node);
    }
    const std::int64_t wanted =
        options_.rows > 0 ? options_.rows
        : packs ? std::clamp((rows + threads_ - 1) / threads_, kLeastPacking, kMostPacking)
                : std::clamp(rows / (2 * threads_), kLeast, kMost);
    return (wanted + multiple - 1) / multiple * multiple;
}

void Cutter::cut_chain(const std::vector<NodeId>& chain, std::int64_t rows, Phase& phase) {
    const std::int64_t length = rows_of_piece(chain, rows);
    for (std::int64_t row = 0; row < rows; row += length) {
        const RowRange range{row, std::min(rows, row + length)};
        std::vector<Step>& steps = kept_.emplace_back();
        for (const NodeId id : chain) {
            lower_rows_on_cpu(program_, id, range, addresses_, calls_, steps);
        }
        const double middle = static_cast<double>(range.first + range.last) / 2;
        phase.pieces.push_back({steps, 0, -1, middle / static_cast<double>(rows), true});
    }
}

void Cutter::cut_units(const Step& step, Phase& phase) const {
    double begin = 0, length = 1;
    const ValueId output = program_.node(step.node).outputs[0];
    const bool made = program_.node(step.node).output_count > 0;
    if (made && plan_.placed[static_cast<std::size_t>(output)] != kNone) {
        const Value& v = program_.value(plan_.placed[static_cast<std::size_t>(output)]);
        const auto all = static_cast<double>(program_.state->buffer(v.buffer).shape.size());
        begin = static_cast<double>(v.offset) / all;
        length = static_cast<double>(v.shape.size()) / all;
    }
    for (std::int64_t u = 0; u < step.units; ++u) {
        const double middle = (static_cast<double>(u) + 0.5) / static_cast<double>(step.units);
        phase.pieces.push_back({{&step, 1}, u, u + 1, begin + length * middle});
    }
}

// Threads begin with equal parts of the pieces: what belongs to a thread's part comes in the order
// of the nodes, which share their inputs.
void Cutter::finish(Phase phase) {
    if (phase.pieces.empty()) return;
    const auto part = [&](const Piece& piece) { return static_cast<int>(piece.place * threads_); };
    std::stable_sort(phase.pieces.begin(), phase.pieces.end(),
                     [&](const Piece& a, const Piece& b) { return part(a) < part(b); });
    phases_.push_back(std::move(phase));
}

}  // namespace

std::vector<NodeId> nodes_of(const Phase& phase) {
    std::vector<NodeId> nodes;
    for (const Piece& piece : phase.pieces) {
        for (const Step& step : piece.steps) nodes.push_back(step.node);
    }
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    return nodes;
}

void run_pieces(const void* phase, std::int64_t first, std::int64_t last) {
    const std::vector<Piece>& pieces = static_cast<const Phase*>(phase)->pieces;
    for (std::int64_t p = first; p < last; ++p) {
        const Piece& piece = pieces[static_cast<std::size_t>(p)];
        if (piece.last >= 0) {
            const Step& step = piece.steps.front();
            step.run(step.call, piece.first, piece.last);
            continue;
        }
        for (const Step& step : piece.steps) step.run(step.call, 0, step.units);
    }
}

std::vector<Phase> cut(const Lowered& lowered, int threads, const CutOptions& options,
                       CallStore& calls, std::deque<std::vector<Step>>& kept) {
    return Cutter(lowered, threads, options, calls, kept).run();
}

}  // namespace drydock
