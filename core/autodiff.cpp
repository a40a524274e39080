// Reverse mode: the adjoint of a program is more nodes of the same program.
#include "core/autodiff.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/ops/ops.h"

namespace drydock {

AdjointCall::AdjointCall(Graph& graph, const Node& node, std::vector<Tensor> cotangents,
                         std::vector<bool> wanted)
    : graph_(graph),
      node_(node),
      cotangents_(std::move(cotangents)),
      wanted_(std::move(wanted)),
      results_(static_cast<std::size_t>(node.input_count)) {}

Tensor scale_by_cotangent(Tensor g, Tensor x) {
    const Value& v = g.value();
    if (v.def >= 0) {
        const Node& node = g.graph().program().node(v.def);
        if (node.op == Op::fill && node.attributes.p == 1.0 && node.attributes.q == 0.0) return x;
    }
    return g * x;
}

std::vector<bool> Graph::values_reached_from(ParameterGroup& group) const {
    std::vector<bool> reached(program_.values.size(), false);
    for (int i = 0; i < group.count(); ++i) {
        const auto known = persistent_.find(
            persistent_key(group.parameters(), group.spec(i).shape, group.offset(i), true));
        if (known != persistent_.end()) reached[static_cast<std::size_t>(known->second)] = true;
    }
    for (const Node& node : program_.nodes) {
        bool any = false;
        for (int i = 0; i < node.input_count; ++i) {
            any =
                any || reached[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(i)])];
        }
        for (int i = 0; i < node.output_count; ++i) {
            const ValueId id = node.outputs[static_cast<std::size_t>(i)];
            reached[static_cast<std::size_t>(id)] = any && value(id).differentiable;
        }
    }
    return reached;
}

// The backward pass of a node reads what the node read: a parameter that a step has overwritten
// since would give a gradient of neither the old nor the new loss.
void Graph::check_not_overwritten(NodeId id) {
    const Node& node = program_.node(id);
    const auto& read = read_at_[static_cast<std::size_t>(id)];
    for (std::size_t i = 0; i < static_cast<std::size_t>(node.input_count); ++i) {
        const Value& v = value(node.inputs[i]);
        if (v.storage != Storage::persistent || version(v.buffer) == read[i]) continue;
        throw Error(fmt::format(
            "[gradients] the backward pass of '{}' would read '{}', which a step has overwritten "
            "since; form this gradient before that step",
            program_.describe(node), state_.buffer(v.buffer).name));
    }
}

void Graph::backward(NodeId id, std::vector<Tensor>& cotangents, const std::vector<bool>& reached) {
    const Node node = program_.node(id);
    std::vector<Tensor> given;
    bool any = false;
    for (int i = 0; i < node.output_count; ++i) {
        given.push_back(
            cotangents[static_cast<std::size_t>(node.outputs[static_cast<std::size_t>(i)])]);
        any = any || given.back();
    }
    std::vector<bool> wanted;
    bool wants_any = false;
    for (int i = 0; i < node.input_count; ++i) {
        wanted.push_back(
            reached[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(i)])]);
        wants_any = wants_any || wanted.back();
    }
    if (!any || !wants_any || !info(node.op).adjoint) return;
    check_not_overwritten(id);

    const std::string of =
        node.label >= 0 ? program_.labels[static_cast<std::size_t>(node.label)] : "";
    const Label label(*this, of.empty() ? "" : of + " gradient");
    AdjointCall call(*this, node, given, wanted);
    info(node.op).adjoint(call);
    for (std::size_t i = 0; i < call.results().size(); ++i) {
        Tensor part = call.results()[i];
        if (!part || !wanted[i]) continue;
        const Shape& want = value(node.inputs[i]).shape;
        if (!(part.shape() == want)) {
            throw Error(fmt::format("[gradients] the adjoint of '{}' gave {} for an input {}",
                                    program_.describe(node), to_string(part.shape()),
                                    to_string(want)));
        }
        Tensor& sum = cotangents[static_cast<std::size_t>(node.inputs[i])];
        sum = sum ? sum + part : part;
    }
}

void Graph::gradients(Tensor loss, ParameterGroup& group) {
    if (loss.size() != 1) {
        throw Error(fmt::format("[gradients] expected a scalar loss, got {}; take its mean or sum",
                                to_string(loss.shape())));
    }
    if (!group.trainable()) {
        throw Error(fmt::format("[gradients] group '{}' is not trainable", group.name()));
    }
    const std::vector<bool> reached = values_reached_from(group);
    std::vector<Tensor> cotangents(program_.values.size());
    const auto last = static_cast<NodeId>(program_.nodes.size()) - 1;
    cotangents[static_cast<std::size_t>(loss.id())] = fill(*this, loss.shape(), 1.0);
    for (NodeId id = last; id >= 0; --id) backward(id, cotangents, reached);

    for (int i = 0; i < group.count(); ++i) {
        const Tensor parameter = this->parameter(group, i);
        const auto slot = static_cast<std::size_t>(parameter.id());
        if (slot >= cotangents.size() || !cotangents[slot]) {
            throw Error(
                fmt::format("[gradients] the loss does not depend on parameter '{}' of group "
                            "'{}'; use it or move it to another group",
                            group.spec(i).name, group.name()));
        }
        const Label label(*this, group.spec(i).name + " gradient");
        const Tensor place =
            persistent(group.gradients(), group.spec(i).shape, group.offset(i), false);
        store(cotangents[slot], place);
    }
}

}  // namespace drydock
