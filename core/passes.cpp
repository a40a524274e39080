#include "core/passes.h"

#include <algorithm>

#include "kernels/api/elementwise.h"
#include "kernels/api/kernel.h"

namespace drydock {
namespace {

void remove_nodes(Program& program, const std::vector<bool>& dead) {
    std::vector<NodeId> moved(program.nodes.size(), -1);
    std::vector<Node> kept;
    for (std::size_t i = 0; i < program.nodes.size(); ++i) {
        if (dead[i]) continue;
        moved[i] = static_cast<NodeId>(kept.size());
        kept.push_back(program.nodes[i]);
    }
    program.nodes = std::move(kept);
    for (Value& v : program.values) {
        if (v.def >= 0) v.def = moved[static_cast<std::size_t>(v.def)];
    }
}

bool touches(const Program& program, const Node& node, BufferId buffer, bool writes_only) {
    for (int i = 0; i < node.input_count; ++i) {
        const Value& v = program.value(node.inputs[static_cast<std::size_t>(i)]);
        if (v.storage != Storage::persistent || v.buffer != buffer) continue;
        if (!writes_only || (info(node.op).writes >> i & 1U)) return true;
    }
    return false;
}

// The only node that uses value `id` or a view of it, or -1.
NodeId only_user(const Program& program, ValueId id) {
    NodeId user = -1;
    for (std::size_t n = 0; n < program.nodes.size(); ++n) {
        const Node& node = program.nodes[n];
        for (int i = 0; i < node.input_count; ++i) {
            if (program.root(node.inputs[static_cast<std::size_t>(i)]) != id) continue;
            if (user >= 0 && user != static_cast<NodeId>(n)) return -1;
            user = static_cast<NodeId>(n);
        }
    }
    return user;
}

// Whether a value is the slope that a layer with gelu stores.
bool is_slope(const Program& program, ValueId id) {
    const NodeId def = program.value(id).def;
    return def >= 0 && program.node(def).op == Op::linear && program.node(def).outputs[0] != id;
}

// Of the layer below, where a binary node multiplies a gradient by its activation's derivative.
kernels::Activation activation_below(const Program& program, const Node& node) {
    const auto binary = static_cast<kernels::Binary>(node.attributes.kind);
    if (binary == kernels::Binary::relu_gradient) return kernels::Activation::relu;
    if (binary == kernels::Binary::tanh_gradient) return kernels::Activation::tanh;
    if (binary == kernels::Binary::mul && is_slope(program, node.inputs[1])) {
        return kernels::Activation::gelu;
    }
    return kernels::Activation::none;
}

}  // namespace

int remove_dead(Program& program) {
    std::vector<bool> needed(program.values.size(), false);
    std::vector<bool> dead(program.nodes.size(), true);
    for (std::size_t v = 0; v < needed.size(); ++v) needed[v] = program.values[v].output;
    for (std::size_t n = program.nodes.size(); n-- > 0;) {
        const Node& node = program.nodes[n];
        bool live = info(node.op).writes != 0;
        for (int i = 0; i < node.output_count; ++i) {
            live =
                live || needed[static_cast<std::size_t>(node.outputs[static_cast<std::size_t>(i)])];
        }
        if (!live) continue;
        dead[n] = false;
        for (int i = 0; i < node.input_count; ++i) {
            const ValueId id = node.inputs[static_cast<std::size_t>(i)];
            needed[static_cast<std::size_t>(id)] = true;
            needed[static_cast<std::size_t>(program.root(id))] = true;
        }
    }
    remove_nodes(program, dead);
    return static_cast<int>(std::count(dead.begin(), dead.end(), true));
}

int fuse_activation_gradient(Program& program) {
    std::vector<bool> dead(program.nodes.size(), false);
    for (Node& node : program.nodes) {
        if (node.op != Op::linear_input_gradient || node.input_count != 2) continue;
        const ValueId dx = node.outputs[0];
        const NodeId user = program.value(dx).output ? -1 : only_user(program, dx);
        if (user < 0) continue;
        const Node& next = program.node(user);
        if (next.op != Op::binary || next.inputs[0] != dx || next.inputs[1] == dx) continue;
        const auto below = activation_below(program, next);
        const Value& y = program.value(next.inputs[1]);
        if (below == kernels::Activation::none || !is_contiguous(y.shape, y.strides)) continue;
        node.attributes.kind = static_cast<std::uint8_t>(below);
        node.inputs[2] = next.inputs[1];
        node.input_count = 3;
        node.outputs[0] = next.outputs[0];
        program.value(node.outputs[0]).def = program.value(dx).def;
        dead[static_cast<std::size_t>(user)] = true;
    }
    remove_nodes(program, dead);
    return static_cast<int>(std::count(dead.begin(), dead.end(), true));
}

int fuse_adam_polyak(Program& program) {
    std::vector<bool> dead(program.nodes.size(), false);
    for (std::size_t n = 0; n < program.nodes.size(); ++n) {
        Node& adam = program.nodes[n];
        if (adam.op != Op::adam_step || adam.input_count != 5) continue;
        const BufferId parameters = program.value(adam.inputs[1]).buffer;
        for (std::size_t k = n + 1; k < program.nodes.size(); ++k) {
            const Node& next = program.nodes[k];
            if (next.op != Op::polyak || program.value(next.inputs[0]).buffer != parameters)
                continue;
            const BufferId target = program.value(next.inputs[1]).buffer;
            bool apart = true;
            for (std::size_t i = n + 1; i < k; ++i) {
                apart = apart && !touches(program, program.nodes[i], target, false) &&
                        !touches(program, program.nodes[i], parameters, true);
            }
            if (apart) {
                adam.inputs[5] = next.inputs[1];
                adam.input_count = 6;
                adam.attributes.p = next.attributes.p;
                dead[k] = true;
            }
            break;
        }
    }
    remove_nodes(program, dead);
    return static_cast<int>(std::count(dead.begin(), dead.end(), true));
}

namespace {

// Every piece of a product's rows packs the weights. That is often where there are many rows, or
// where many threads share few.
constexpr std::int64_t kManyRows = 1024, kFewRows = 128;

// Adds to a program the packed weights that its products read.
class WeightPacker {
  public:
    explicit WeightPacker(Program& program) : program_(program) {}

    int run() {
        std::vector<Node> nodes;
        nodes.swap(program_.nodes);
        std::vector<NodeId> moved;
        for (Node& node : nodes) {
            if (node.op == Op::linear) use(node, kernels::PackedFor::forward);
            if (node.op == Op::linear_input_gradient) use(node, kernels::PackedFor::input_gradient);
            moved.push_back(static_cast<NodeId>(program_.nodes.size()));
            program_.nodes.push_back(node);
            forget_written(node);
        }
        for (std::size_t v = 0; v < values_before_; ++v) {
            Value& value = program_.values[v];
            if (value.def >= 0) value.def = moved[static_cast<std::size_t>(value.def)];
        }
        return count_;
    }

  private:
    struct Made {
        ValueId weights;
        kernels::PackedFor product;
        ValueId packed;
    };

    void use(Node& node, kernels::PackedFor product) {
        const ValueId weights = node.inputs[1];
        const Value& w = program_.value(weights);
        const std::int64_t rows = program_.value(node.inputs[0]).shape[0];
        const int threads = program_.state->device().pool().threads();
        const bool often = rows >= kManyRows || (threads > 1 && rows < kFewRows * threads);
        const bool bf16 =
            program_.precision == kernels::Precision::bf16 && w.shape[0] > kernels::kNarrowOutputs;
        if (w.storage != Storage::persistent || w.dtype != DType::f32 || bf16 || !often ||
            node.attributes.packed || !kernels::worth_packing(product, w.shape[1], w.shape[0])) {
            return;
        }
        node.inputs[static_cast<std::size_t>(node.input_count++)] = packed(weights, product);
        node.attributes.packed = true;
    }

    ValueId packed(ValueId weights, kernels::PackedFor product) {
        for (const Made& m : made_) {
            if (m.weights == weights && m.product == product) return m.packed;
        }
        const Shape layer = program_.value(weights).shape;
        const Shape shape{kernels::packed_weights_size(product, layer[1], layer[0])};
        Node node{};
        node.op = Op::pack_weights;
        node.attributes.kind = static_cast<std::uint8_t>(product);
        node.inputs[0] = weights;
        node.input_count = node.output_count = 1;
        node.outputs[0] = static_cast<ValueId>(program_.values.size());
        Value value{DType::f32, shape, contiguous_strides(shape), Storage::planned};
        value.def = static_cast<NodeId>(program_.nodes.size());
        program_.values.push_back(value);
        program_.nodes.push_back(node);
        made_.push_back({weights, product, node.outputs[0]});
        ++count_;
        return node.outputs[0];
    }

    void forget_written(const Node& node) {
        std::erase_if(made_, [&](const Made& m) {
            return touches(program_, node, program_.value(m.weights).buffer, true);
        });
    }

    Program& program_;
    std::size_t values_before_ = program_.values.size();
    std::vector<Made> made_;
    int count_ = 0;
};

}  // namespace

int pack_weights(Program& program) { return WeightPacker(program).run(); }

void apply(const Passes& passes, Program& program) {
    if (passes.remove_dead) remove_dead(program);
    if (passes.fuse_activation_gradient) fuse_activation_gradient(program);
    if (passes.fuse_adam_polyak) fuse_adam_polyak(program);
    if (passes.pack_weights) pack_weights(program);
}

}  // namespace drydock
