#include "core/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "core/eager.h"
#include "core/ops/ops.h"

namespace drydock {

const Value& Tensor::value() const { return graph_->value(id_); }

Graph::Graph(State& state, GraphOptions options) : state_(state), options_(options) {
    program_.state = &state;
    if (options.eager) eager_ = std::make_unique<EagerRunner>(state);
}

Graph::~Graph() = default;

Graph::Label::Label(Graph& graph, std::string text)
    : graph_(graph), outer_(std::move(graph.label_)) {
    graph.label_ = std::move(text);
}
Graph::Label::~Label() { graph_.label_ = std::move(outer_); }

std::int64_t& Graph::version(BufferId id) {
    const auto i = static_cast<std::size_t>(id);
    if (i >= versions_.size()) versions_.resize(i + 1, 0);
    return versions_[i];
}

std::string Graph::persistent_key(BufferId buffer, const Shape& shape, std::int64_t offset,
                                  bool differentiable) {
    return fmt::format("{} {} {} {}", buffer, offset, to_string(shape), differentiable);
}

Tensor Graph::persistent(BufferId buffer, const Shape& shape, std::int64_t offset,
                         bool differentiable) {
    const std::string key = persistent_key(buffer, shape, offset, differentiable);
    const auto known = persistent_.find(key);
    if (known != persistent_.end()) return {this, known->second};
    Value v{state_.buffer(buffer).dtype, shape, contiguous_strides(shape), Storage::persistent};
    v.buffer = buffer;
    v.offset = offset;
    v.differentiable = differentiable;
    program_.values.push_back(v);
    const auto id = static_cast<ValueId>(program_.values.size() - 1);
    persistent_[key] = id;
    if (eager_) eager_->define(program_, id);
    return {this, id};
}

Tensor Graph::buffer(BufferId id) { return persistent(id, state_.buffer(id).shape, 0, false); }

Tensor Graph::parameter(ParameterGroup& group, int index) {
    return persistent(group.parameters(), group.spec(index).shape, group.offset(index),
                      group.trainable());
}

std::vector<Tensor> Graph::append(NewNode fresh) {
    if (finished_) throw Error("[graph] the program is finished; record a new one");
    check_inputs(fresh);
    check_dtypes(fresh);
    Node node{fresh.op, fresh.attributes, {}, {}};
    node.input_count = static_cast<int>(fresh.inputs.size());
    node.output_count = static_cast<int>(fresh.outputs.size());
    if (!label_.empty()) {
        program_.labels.push_back(label_);
        node.label = static_cast<std::int32_t>(program_.labels.size() - 1);
    }
    const auto id = static_cast<NodeId>(program_.nodes.size());
    bool differentiable = false;
    std::array<std::int64_t, kMaxInputs> read{};
    for (std::size_t i = 0; i < fresh.inputs.size(); ++i) {
        node.inputs[i] = fresh.inputs[i].id();
        const Value& v = value(node.inputs[i]);
        differentiable |= v.differentiable;
        if (v.storage == Storage::persistent) read[i] = version(v.buffer);
    }
    differentiable = differentiable && fresh.differentiable && info(fresh.op).adjoint;
    std::vector<Tensor> outputs;
    for (std::size_t i = 0; i < fresh.outputs.size(); ++i) {
        Value v{fresh.dtype, fresh.outputs[i], contiguous_strides(fresh.outputs[i]),
                Storage::planned};
        v.def = id;
        v.differentiable = differentiable;
        program_.values.push_back(v);
        node.outputs[i] = static_cast<ValueId>(program_.values.size() - 1);
        outputs.emplace_back(this, node.outputs[i]);
        if (eager_) eager_->define(program_, node.outputs[i]);
    }
    for (int i = 0; i < node.input_count; ++i) {
        const Value& v = value(node.inputs[static_cast<std::size_t>(i)]);
        if (info(node.op).writes >> i & 1U) ++version(v.buffer);
    }
    program_.nodes.push_back(node);
    read_at_.push_back(read);
    if (eager_) eager_->execute(program_);
    return outputs;
}

// Inputs belong to this graph, and none is a view of memory that was overwritten after the view was
// made: it would silently show the new values.
void Graph::check_inputs(const NewNode& fresh) {
    for (std::size_t i = 0; i < fresh.inputs.size(); ++i) {
        const Tensor& input = fresh.inputs[i];
        if (!input || &input.graph() != this) {
            throw Error(fmt::format("[{}] expected input {} to be a tensor of this graph",
                                    info(fresh.op).name, i));
        }
        const Value& v = input.value();
        const bool view = v.storage == Storage::persistent && v.def >= 0;
        const bool written = info(fresh.op).writes >> i & 1U;
        if (!view || written) continue;
        if (read_at_[static_cast<std::size_t>(v.def)][0] != version(v.buffer)) {
            throw Error(
                fmt::format("[{}] input {} is a view of '{}' from before a step overwrote it; "
                            "make the view again, or take a copy before the step",
                            info(fresh.op).name, i, state_.buffer(v.buffer).name));
        }
    }
}

// Kernels compute in one type; indices, counters and the hyper block are exempt.
void Graph::check_dtypes(const NewNode& fresh) const {
    const bool copies = fresh.op == Op::unary && fresh.attributes.kind == 0;
    for (std::size_t i = 0; i < fresh.inputs.size(); ++i) {
        const DType got = fresh.inputs[i].dtype();
        if (copies || (info(fresh.op).other_dtypes >> i & 1U) || got == real()) continue;
        throw Error(
            fmt::format("[{}] expected input {} {} to be {}, got {}; convert it before it "
                        "enters the graph",
                        info(fresh.op).name, i, to_string(fresh.inputs[i].shape()), name_of(real()),
                        name_of(got)));
    }
}

Tensor Graph::append_view(Op op, Tensor x, const Shape& shape, const Strides& strides,
                          std::int64_t offset, Attributes attributes) {
    if (finished_) throw Error("[graph] the program is finished; record a new one");
    check_inputs({op, {x}, {}});
    const Value& source = x.value();
    Value v{source.dtype, shape, strides, source.storage};
    v.buffer = source.buffer;
    v.offset = source.offset + offset;
    if (source.storage == Storage::planned) {
        v.storage = Storage::view;
        v.base = x.id();
        v.offset = offset;
    } else if (source.storage == Storage::view) {
        v.base = source.base;
    }
    v.differentiable = source.differentiable && op != Op::detach;
    v.def = static_cast<NodeId>(program_.nodes.size());
    program_.values.push_back(v);
    const auto id = static_cast<ValueId>(program_.values.size() - 1);
    Node node{op, attributes, {}, {}};
    node.input_count = node.output_count = 1;
    node.inputs[0] = x.id();
    node.outputs[0] = id;
    std::array<std::int64_t, kMaxInputs> read{};
    if (v.storage == Storage::persistent) read[0] = version(v.buffer);
    program_.nodes.push_back(node);
    read_at_.push_back(read);
    if (eager_) eager_->define(program_, id);
    return {this, id};
}

void Graph::minimize(Tensor loss, ParameterGroup& group) {
    gradients(loss, group);
    step(group);
}

void Graph::metric(const std::string& name, Tensor scalar) {
    if (scalar.size() != 1) {
        throw Error(fmt::format("[metric] expected a scalar for '{}', got {}", name,
                                to_string(scalar.shape())));
    }
    const Label label(*this, name);
    Attributes attributes;
    attributes.n = state_.metric_column(name);
    append({Op::store_metric,
            {contiguous(scalar), buffer(state_.counters_buffer()), buffer(state_.metrics_ring())},
            {},
            attributes,
            real()});
}

Program Graph::finish() {
    append({Op::tick, {buffer(state_.counters_buffer())}, {}});
    finished_ = true;
    return program_;
}

void Graph::keep(Tensor tensor) {
    if (finished_) throw Error("[keep] the program is finished; keep values before finish()");
    program_.value(program_.root(tensor.id())).output = true;
}

std::vector<double> Graph::read(Tensor tensor) const {
    if (!eager_)
        throw Error("[read] values exist only in eager mode; while recording nothing is computed");
    return eager_->read(program_, tensor.id());
}

Program record(State& state, const std::function<void(Graph&)>& build, GraphOptions options) {
    Graph graph(state, options);
    build(graph);
    return graph.finish();
}

}  // namespace drydock
