// Ours: the kernel call that a recorded update makes of the node.
#include "base/error.h"
#include "bench/gemm/contest.h"
#include "core/executable.h"
#include "core/graph.h"
#include "core/ops/ops.h"

namespace drydock::gemm {
namespace {

class Ours final : public Contestant {
  public:
    Ours(Product product, const Operands& o, const std::string& isa)
        : device_(Device::cpu(1, isa)),
          state_(device_),
          executable_(state_, {.passes = {.pack_weights = false}}) {
        ParameterGroup& layer = state_.add_group("layer");
        layer.add({"w", {o.size.O, o.size.I}, Initializer::zeros});
        layer.add({"b", {o.size.O}, Initializer::zeros});
        std::copy(o.w.begin(), o.w.end(), layer_values(layer, 0));
        std::copy(o.b.begin(), o.b.end(), layer_values(layer, 1));
        executable_.add(record(state_, [&](Graph& g) { record_product(product, o, layer, g); }));
        executable_.run(1);
        for (const Step& step : executable_.steps(0)) {
            if (executable_.program().node(step.node).op == op_) steps_.push_back(step);
        }
        if (steps_.empty()) throw Error("[gemm] the program lost its product");
    }

    void run() override {
        for (const Step& step : steps_) step.run(step.call, 0, step.units);
    }

    std::vector<float> result() override {
        std::vector<float> all;
        for (const ValueId id : outputs_) {
            for (const double v : executable_.read(id)) all.push_back(static_cast<float>(v));
        }
        return all;
    }

  private:
    float* layer_values(ParameterGroup& layer, int index) {
        return static_cast<float*>(state_.buffer(layer.parameters()).data) + layer.offset(index);
    }
    Tensor column(Graph& g, const char* name, const Shape& shape, const std::vector<float>& v) {
        return g.buffer(state_.add_column(name, shape, std::span<const float>(v)));
    }

    void record_product(Product product, const Operands& o, ParameterGroup& layer, Graph& g) {
        const auto& [N, I, O] = o.size;
        const Tensor w = g.parameter(layer, 0), b = g.parameter(layer, 1);
        std::vector<Tensor> outputs;
        if (product == Product::forward) {
            op_ = Op::linear;
            outputs = {linear(column(g, "x", {N, I}, o.x), w, b, Activation::relu)};
        } else if (product == Product::input_gradient) {
            op_ = Op::linear_input_gradient;
            outputs = g.append({op_, {column(g, "dy", {N, O}, o.dy), w}, {{N, I}}});
        } else {
            op_ = Op::linear_weight_gradient;
            outputs = g.append(
                {op_, {column(g, "dy", {N, O}, o.dy), column(g, "x", {N, I}, o.x)}, {{O, I}, {O}}});
        }
        for (const Tensor& output : outputs) {
            g.keep(output);
            outputs_.push_back(output.id());
        }
    }

    Device device_;
    State state_;
    Executable executable_;
    Op op_ = Op::linear;
    std::vector<ValueId> outputs_;
    std::vector<Step> steps_;
};

}  // namespace

std::unique_ptr<Contestant> make_ours(Product product, const Operands& operands,
                                      const std::string& isa) {
    return std::make_unique<Ours>(product, operands, isa);
}

}  // namespace drydock::gemm
