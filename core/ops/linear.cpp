// Matrix products, and the linear layer with its bias and activation fused.
#include "kernels/api/linear.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/autodiff.h"
#include "core/ops/adjoints.h"
#include "core/ops/ops.h"
#include "kernels/api/elementwise.h"

namespace drydock {
namespace {

// The tensor with contiguous rows, as kernels take matrices.
Tensor rows(Tensor x) {
    const Strides& strides = x.value().strides;
    const bool unit = strides[1] == 1 || x.shape()[1] == 1;
    return unit && (x.shape()[0] == 1 || strides[0] >= x.shape()[1]) ? x : contiguous(x);
}

// The cotangent before the activation of a layer.
Tensor before_activation(AdjointCall& call) {
    const auto activation = static_cast<Activation>(call.attributes().kind);
    const Tensor g = call.cotangent();
    if (activation == Activation::none) return g;
    if (activation == Activation::gelu) return g * call.output(1);
    const Tensor y = call.output();
    Attributes attributes;
    attributes.kind =
        static_cast<std::uint8_t>(activation == Activation::relu ? kernels::Binary::relu_gradient
                                                                 : kernels::Binary::tanh_gradient);
    return g.graph().append_one({Op::binary, {g, y}, {y.shape()}, attributes, g.dtype()});
}

}  // namespace

Tensor activate(Tensor x, Activation activation) {
    switch (activation) {
        case Activation::none:
            return x;
        case Activation::relu:
            return relu(x);
        case Activation::tanh:
            return tanh(x);
        case Activation::gelu:
            return gelu(x);
    }
    return x;
}

Tensor matmul(Tensor a, Tensor b, bool transpose_a, bool transpose_b) {
    if (a.shape().rank() != 2 || b.shape().rank() != 2 ||
        a.shape()[transpose_a ? 0 : 1] != b.shape()[transpose_b ? 1 : 0]) {
        throw Error(fmt::format("[matmul] expected (M, K) and (K, N), got {}{} and {}{}",
                                to_string(a.shape()), transpose_a ? " transposed" : "",
                                to_string(b.shape()), transpose_b ? " transposed" : ""));
    }
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>((transpose_a ? 1 : 0) | (transpose_b ? 2 : 0));
    const Shape shape{a.shape()[transpose_a ? 1 : 0], b.shape()[transpose_b ? 0 : 1]};
    return a.graph().append_one({Op::matmul, {rows(a), rows(b)}, {shape}, attributes, a.dtype()});
}

void matmul_adjoint(AdjointCall& call) {
    const bool ta = call.attributes().kind & 1, tb = call.attributes().kind & 2;
    const Tensor a = call.input(0), b = call.input(1), g = call.cotangent();
    if (call.wants(0)) call.set(0, ta ? matmul(b, g, tb, true) : matmul(g, b, false, !tb));
    if (call.wants(1)) call.set(1, tb ? matmul(g, a, true, ta) : matmul(a, g, !ta, false));
}

// The composition of Op::linear: activation(matmul(x, w, transposed) + bias + residual).
Tensor composed_linear(Tensor x, Tensor w, Tensor bias, Tensor residual, Activation activation) {
    Tensor y = matmul(x, w, false, true);
    if (bias) y = y + bias;
    if (residual) {
        const std::int64_t M = residual.shape()[0], O = w.shape()[0];
        const Shape shape = y.shape();
        y = reshape(reshape(y, {M, shape[0] / M, O}) + reshape(residual, {M, 1, O}), shape);
    }
    return activate(y, activation);
}

Tensor linear(Tensor x, Tensor w, Tensor bias, Activation activation) {
    return linear_with_residual(x, w, bias, {}, activation);
}

Tensor linear_with_residual(Tensor x, Tensor w, Tensor bias, Tensor residual,
                            Activation activation) {
    if (x.shape().rank() != 2 || w.shape().rank() != 2 || x.shape()[1] != w.shape()[1] ||
        (bias && !(bias.shape() == Shape{w.shape()[0]}))) {
        throw Error(fmt::format(
            "[linear] expected x (N, I), w (O, I) and bias (O), got {}, {} and {}",
            to_string(x.shape()), to_string(w.shape()), bias ? to_string(bias.shape()) : "none"));
    }
    if (residual && (residual.shape().rank() != 2 || residual.shape()[1] != w.shape()[0] ||
                     residual.shape()[0] < 1 || x.shape()[0] % residual.shape()[0] != 0)) {
        throw Error(
            fmt::format("[linear] expected a residual (M, {}) with {} rows a multiple of M, got {}",
                        w.shape()[0], x.shape()[0], to_string(residual.shape())));
    }
    Graph& graph = x.graph();
    if (!graph.fused()) return composed_linear(x, w, bias, residual, activation);
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(activation);
    attributes.flag = static_cast<bool>(residual);
    std::vector<Tensor> inputs{rows(x), contiguous(w)};
    if (bias) inputs.push_back(contiguous(bias));
    if (residual) inputs.push_back(contiguous(residual));
    const Shape shape{x.shape()[0], w.shape()[0]};
    std::vector<Shape> shapes{shape};
    if (activation == Activation::gelu) shapes.push_back(shape);
    return graph.append({Op::linear, inputs, shapes, attributes, x.dtype()})[0];
}

void linear_adjoint(AdjointCall& call) {
    Graph& graph = call.graph();
    const Tensor x = call.input(0), w = call.input(1);
    const Tensor dz = rows(before_activation(call));
    if (call.wants(0)) {
        call.set(
            0, graph.append_one({Op::linear_input_gradient, {dz, w}, {x.shape()}, {}, x.dtype()}));
    }
    const int residual = call.attributes().flag ? call.input_count() - 1 : 0;
    if (residual != 0 && call.wants(residual)) {
        const Shape shape = call.input(residual).shape();
        const std::int64_t repeat = x.shape()[0] / shape[0];
        call.set(residual, repeat == 1 ? dz : sum(reshape(dz, {shape[0], repeat, shape[1]}), 1));
    }
    const bool bias = call.input_count() - (residual != 0 ? 1 : 0) == 3;
    if (!call.wants(1) && !(bias && call.wants(2))) return;
    std::vector<Shape> shapes{w.shape()};
    if (bias) shapes.push_back(call.input(2).shape());
    const auto gradients =
        graph.append({Op::linear_weight_gradient, {dz, x}, shapes, {}, x.dtype()});
    call.set(1, gradients[0]);
    if (bias) call.set(2, gradients[1]);
}

}  // namespace drydock
