#include "measure/node_work.h"

namespace drydock::measure {
namespace {

// FLOP per element, by the formulas of kernels/api/.
constexpr double kAdam = 14, kPolyak = 3, kLayerNorm = 8, kLayerNormInput = 9, kLayerNormWeight = 5;
constexpr double kGaussian = 6, kGaussianGradient = 9, kExpectile = 7, kMse = 4;

class Reader {
  public:
    Reader(const Program& program, const Node& node) : program_(program), node_(node) {}

    const Value& in(int i) const {
        return program_.value(node_.inputs[static_cast<std::size_t>(i)]);
    }
    const Value& out(int i = 0) const {
        return program_.value(node_.outputs[static_cast<std::size_t>(i)]);
    }
    static double count(const Value& v) { return static_cast<double>(v.shape.size()); }
    static double length(const Value& v, int axis) { return static_cast<double>(v.shape[axis]); }
    static double element(const Value& v) { return static_cast<double>(size_of(v.dtype)); }

    // Of distinct elements.
    static double bytes(const Value& v) {
        double elements = 1;
        for (int i = 0; i < v.shape.rank(); ++i) {
            if (v.strides[static_cast<std::size_t>(i)] != 0) elements *= length(v, i);
        }
        return elements * element(v);
    }

    double bytes() const;
    double flop() const;

  private:
    double touched(int input) const;
    double product() const;
    double attention() const;

    const Program& program_;
    const Node& node_;
};

// What the node moves of an input.
double Reader::touched(int input) const {
    switch (node_.op) {
        case Op::gather_rows:
            return bytes(input == 0 ? out() : in(1));
        case Op::select_row:
            return input == 0 ? bytes(out()) : 8;
        case Op::window_rows:  // the search for each start's episode reads little of the offsets
            return bytes(in(0));
        case Op::random:
            return 0;
        case Op::store_metric:
            return input == 0 ? bytes(in(0)) : 4;
        default:
            return bytes(in(input)) * (info(node_.op).writes >> input & 1U ? 2 : 1);
    }
}

double Reader::bytes() const {
    double total = 0;
    for (int i = 0; i < node_.input_count; ++i) total += touched(i);
    for (int i = 0; i < node_.output_count; ++i) total += bytes(out(i));
    return total;
}

double Reader::product() const {
    switch (node_.op) {
        case Op::matmul:
            return 2 * count(out()) * length(in(0), node_.attributes.kind & 1 ? 0 : 1);
        case Op::linear:
            return 2 * count(in(0)) * length(in(1), 0);
        default:  // dy (N, O) times w or x (., I)
            return 2 * count(in(0)) * length(in(1), 1);
    }
}

// Two products with each token that a query sees; the gradient has five, the weights formed again.
double Reader::attention() const {
    const bool gradient = node_.op == Op::causal_attention_gradient;
    const Value &q = in(gradient ? 3 : 0), &mask = in(gradient ? 5 : 2);
    const double width = length(q, 1), sequences = length(mask, 0);
    const auto queries = static_cast<std::int64_t>(length(q, 0) / sequences);
    double seen = 0;
    for (std::int64_t i = 0; i < queries; ++i) {
        seen += static_cast<double>(node_.attributes.n + i * node_.attributes.axis + 1);
    }
    return (gradient ? 10 : 4) * sequences * seen * width;
}

double Reader::flop() const {
    switch (node_.op) {
        case Op::detach:
        case Op::reshape:
        case Op::slice:
        case Op::broadcast:
        case Op::fill:
        case Op::pad:
        case Op::concat:
        case Op::gather_rows:
        case Op::select_row:
        case Op::window_rows:
        case Op::random:
        case Op::store:
        case Op::pack_weights:
        case Op::optimizer_tick:
        case Op::store_metric:
        case Op::tick:
        case Op::count_:
            return 0;
        case Op::unary:  // the first is the copy
            return node_.attributes.kind == 0 ? 0 : count(out());
        case Op::binary:
        case Op::where:
            return count(out());
        case Op::reduce:
        case Op::scatter_add_rows:
            return count(in(0));
        case Op::matmul:
        case Op::linear:
        case Op::linear_input_gradient:
        case Op::linear_weight_gradient:
            return product();
        case Op::causal_attention:
        case Op::causal_attention_gradient:
            return attention();
        case Op::layer_norm:
            return kLayerNorm * count(in(0));
        case Op::layer_norm_input_gradient:
            return kLayerNormInput * count(in(0));
        case Op::layer_norm_weight_gradient:
            return kLayerNormWeight * count(in(0));
        case Op::expectile_loss:
            return kExpectile * count(in(0));
        case Op::mse_loss:
            return kMse * count(in(0));
        case Op::gaussian_log_prob:
            return kGaussian * count(in(0));
        case Op::gaussian_log_prob_gradient:
            return kGaussianGradient * count(in(1));
        case Op::squared_norm:
            return 2 * count(in(0));
        case Op::clip_by_norm:
            return count(in(1));
        case Op::adam_step:
            return (kAdam + (node_.input_count == 6 ? kPolyak : 0)) * count(in(0));
        case Op::polyak:
            return kPolyak * count(in(0));
    }
    return 0;
}

}  // namespace

NodeWork node_work(const Program& program, const Node& node) {
    const Reader reader(program, node);
    return {reader.flop(), reader.bytes()};
}

bool is_product(Op op) {
    switch (op) {
        case Op::matmul:
        case Op::linear:
        case Op::linear_input_gradient:
        case Op::linear_weight_gradient:
        case Op::causal_attention:
        case Op::causal_attention_gradient:
            return true;
        default:
            return false;
    }
}

}  // namespace drydock::measure
