// The builder of programs. Ops (core/ops/ops.h) append nodes to it; gradients, optimizer steps and
// target updates are nodes too. In eager mode every node also runs as soon as it is appended: slow,
// for debugging and as the oracle of replay.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace drydock {

class EagerRunner;

struct GraphOptions {
    bool eager = false;
    // False: every fused op is recorded as its composition of basic ops.
    bool fused = true;
};

// What a node is to be given: filled in by the op builders.
struct NewNode {
    Op op;
    std::vector<Tensor> inputs;
    std::vector<Shape> outputs;
    Attributes attributes{};
    DType dtype = DType::f32;    // of the outputs
    bool differentiable = true;  // false: the outputs have no derivative, whatever the inputs
};

class Graph {
  public:
    explicit Graph(State& state, GraphOptions options = {});
    ~Graph();
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    State& state() const { return state_; }
    DType real() const { return state_.real(); }
    bool fused() const { return options_.fused; }

    // --- Inputs ---
    // A whole buffer; not differentiable.
    Tensor buffer(BufferId id);
    // Parameter `index` of a group; differentiable when the group is trainable.
    Tensor parameter(ParameterGroup& group, int index);
    // Draws of the stream `name`, different in every update (see State::inject_stream).
    Tensor random_uniform(const std::string& name, const Shape& shape, double low, double high);
    Tensor random_normal(const std::string& name, const Shape& shape);
    // Row indices in [0, counters.dataset_size), i64 (n).
    Tensor random_rows(const std::string& name, std::int64_t n);

    // --- Derivatives and updates ---
    // Appends the gradient of the scalar `loss` for every parameter of `group` and stores it in the
    // group's flat gradient buffer. Throws Error when a parameter does not influence the loss, or
    // when the backward pass would read a parameter that a step has overwritten since its use.
    void gradients(Tensor loss, ParameterGroup& group);
    // The group's clipping and optimizer step on its gradients.
    void step(ParameterGroup& group);
    // gradients(), then step().
    void minimize(Tensor loss, ParameterGroup& group);
    // target = (1 - polyak) target + polyak source; the groups have the same shapes.
    void polyak(ParameterGroup& source, ParameterGroup& target, double polyak);
    // Records a scalar under `name` for every update.
    void metric(const std::string& name, Tensor scalar);

    // Ends the update: advances the step counter. The graph takes no more nodes.
    Program finish();

    // --- For tests and eager mode ---
    // Keeps a value readable after the program ran.
    void keep(Tensor tensor);
    // Eager mode: the elements of a tensor, in row-major order.
    std::vector<double> read(Tensor tensor) const;

    // --- For op builders ---
    // Appends a node with fresh contiguous outputs; the outputs are differentiable when the op has
    // an adjoint and an input is.
    std::vector<Tensor> append(NewNode node);
    Tensor append_one(NewNode node) { return append(std::move(node))[0]; }
    // Appends a view of `x`: same memory, other shape, strides and offset (in elements from x's).
    Tensor append_view(Op op, Tensor x, const Shape& shape, const Strides& strides,
                       std::int64_t offset, Attributes attributes = {});
    const Value& value(ValueId id) const { return program_.value(id); }
    const Program& program() const { return program_; }
    // Names nodes that are appended while it lives: "v.layers.0".
    class Label {
      public:
        Label(Graph& graph, std::string text);
        ~Label();

      private:
        Graph& graph_;
        std::string outer_;
    };

  private:
    friend class Label;
    static std::string persistent_key(BufferId buffer, const Shape& shape, std::int64_t offset,
                                      bool differentiable);
    Tensor persistent(BufferId buffer, const Shape& shape, std::int64_t offset,
                      bool differentiable);
    Tensor random(const std::string& name, const Shape& shape, DType dtype, Attributes attributes);
    std::vector<bool> values_reached_from(ParameterGroup& group) const;
    void backward(NodeId id, std::vector<Tensor>& cotangents, const std::vector<bool>& reached);
    void check_not_overwritten(NodeId id);
    void check_inputs(const NewNode& node);
    void check_dtypes(const NewNode& node) const;
    std::int64_t& version(BufferId id);

    State& state_;
    GraphOptions options_;
    Program program_;
    std::string label_;
    std::map<std::string, ValueId> persistent_;                  // by buffer, offset and shape
    std::vector<std::int64_t> versions_;                         // per buffer: writes recorded
    std::vector<std::array<std::int64_t, kMaxInputs>> read_at_;  // per node: versions it read
    std::unique_ptr<EagerRunner> eager_;
    bool finished_ = false;
};

// Records what `build` appends as one program.
Program record(State& state, const std::function<void(Graph&)>& build, GraphOptions options = {});

}  // namespace drydock
