// Elementwise maps. Operands are broadcast by views, so an adjoint sees operands of one shape and
// broadcasting's own adjoint (shape.cpp) does the summing.
#include "kernels/api/elementwise.h"

#include <limits>

#include "core/autodiff.h"
#include "core/ops/adjoints.h"
#include "core/ops/ops.h"

namespace drydock {

using kernels::Binary;
using kernels::Unary;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor unary(Unary op, Tensor x, double p = 0.0, double q = 0.0) {
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(op);
    attributes.p = p;
    attributes.q = q;
    const bool smooth = op != Unary::positive && op != Unary::inside;
    return x.graph().append_one({Op::unary, {x}, {x.shape()}, attributes, x.dtype(), smooth});
}

Tensor binary(Binary op, const char* name, Tensor a, Tensor b) {
    const Shape shape = broadcast_shape(name, a.shape(), b.shape());
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(op);
    // The masks, and those that only adjoints append, have no derivative.
    const bool smooth = op < Binary::less;
    return a.graph().append_one({Op::binary,
                                 {broadcast_to(a, shape), broadcast_to(b, shape)},
                                 {shape},
                                 attributes,
                                 a.dtype(),
                                 smooth});
}

// Cotangents of min(a, b) or max(a, b), with `wins` 1 where a alone decides.
void extremum_adjoint(AdjointCall& call, Tensor wins) {
    const Tensor share = wins + 0.5 * equal(call.input(0), call.input(1));
    if (call.wants(0)) call.set(0, call.cotangent() * share);
    if (call.wants(1)) call.set(1, call.cotangent() * (1.0 - share));
}

}  // namespace

Tensor operator+(Tensor a, Tensor b) { return binary(Binary::add, "add", a, b); }
Tensor operator-(Tensor a, Tensor b) { return binary(Binary::sub, "subtract", a, b); }
Tensor operator*(Tensor a, Tensor b) { return binary(Binary::mul, "multiply", a, b); }
Tensor operator/(Tensor a, Tensor b) { return binary(Binary::div, "divide", a, b); }
Tensor minimum(Tensor a, Tensor b) { return binary(Binary::minimum, "minimum", a, b); }
Tensor maximum(Tensor a, Tensor b) { return binary(Binary::maximum, "maximum", a, b); }
Tensor less(Tensor a, Tensor b) { return binary(Binary::less, "less", a, b); }
Tensor less_equal(Tensor a, Tensor b) { return binary(Binary::less_equal, "less_equal", a, b); }
Tensor equal(Tensor a, Tensor b) { return binary(Binary::equal, "equal", a, b); }

Tensor operator+(Tensor x, double p) { return unary(Unary::add_scalar, x, p); }
Tensor operator+(double p, Tensor x) { return x + p; }
Tensor operator-(Tensor x, double p) { return x + -p; }
Tensor operator-(double p, Tensor x) { return unary(Unary::rsub_scalar, x, p); }
Tensor operator*(Tensor x, double p) { return unary(Unary::mul_scalar, x, p); }
Tensor operator*(double p, Tensor x) { return x * p; }
Tensor operator/(Tensor x, double p) { return x * (1.0 / p); }
Tensor operator/(double p, Tensor x) { return unary(Unary::rdiv_scalar, x, p); }
Tensor operator-(Tensor x) { return unary(Unary::negate, x); }
Tensor exp(Tensor x) { return unary(Unary::exp, x); }
Tensor log(Tensor x) { return unary(Unary::log, x); }
Tensor sqrt(Tensor x) { return unary(Unary::sqrt, x); }
Tensor square(Tensor x) { return unary(Unary::square, x); }
Tensor abs(Tensor x) { return unary(Unary::absolute, x); }
Tensor relu(Tensor x) { return unary(Unary::relu, x); }
Tensor tanh(Tensor x) { return unary(Unary::tanh, x); }
Tensor sigmoid(Tensor x) { return unary(Unary::sigmoid, x); }
Tensor softplus(Tensor x) { return unary(Unary::softplus, x); }
Tensor gelu(Tensor x) { return unary(Unary::gelu, x); }
Tensor minimum(Tensor x, double p) { return unary(Unary::min_scalar, x, p); }
Tensor maximum(Tensor x, double p) { return unary(Unary::max_scalar, x, p); }
Tensor clamp(Tensor x, double low, double high) { return unary(Unary::clamp, x, low, high); }
Tensor positive(Tensor x) { return unary(Unary::positive, x); }

Tensor copy(Tensor x) { return unary(Unary::copy, x); }

Tensor contiguous(Tensor x) { return is_contiguous(x.shape(), x.value().strides) ? x : copy(x); }

void unary_adjoint(AdjointCall& call) {
    const Tensor x = call.input(0), y = call.output(), g = call.cotangent();
    const double p = call.attributes().p, q = call.attributes().q;
    const auto op = static_cast<Unary>(call.attributes().kind);
    switch (op) {
        case Unary::copy:
        case Unary::add_scalar:
            call.set(0, g);
            break;
        case Unary::negate:
        case Unary::rsub_scalar:
            call.set(0, -g);
            break;
        case Unary::exp:
            call.set(0, g * y);
            break;
        case Unary::log:
            call.set(0, g / x);
            break;
        case Unary::sqrt:
            call.set(0, 0.5 * g / y);
            break;
        case Unary::square:
            call.set(0, 2.0 * g * x);
            break;
        case Unary::absolute:
            call.set(0, g * (positive(x) - positive(-x)));
            break;
        case Unary::relu:
            call.set(0, binary(Binary::relu_gradient, "relu_gradient", g, y));
            break;
        case Unary::tanh:
            call.set(0, binary(Binary::tanh_gradient, "tanh_gradient", g, y));
            break;
        case Unary::sigmoid:
            call.set(0, g * (y * (1.0 - y)));
            break;
        case Unary::softplus:
            call.set(0, g * sigmoid(x));
            break;
        case Unary::gelu:
            call.set(0, binary(Binary::gelu_gradient, "gelu_gradient", g, x));
            break;
        case Unary::mul_scalar:
            call.set(0, g * p);
            break;
        case Unary::rdiv_scalar:
            call.set(0, -(g * y / x));
            break;
        case Unary::min_scalar:
            call.set(0, g * unary(Unary::inside, x, -kInfinity, p));
            break;
        case Unary::max_scalar:
            call.set(0, g * unary(Unary::inside, x, p, kInfinity));
            break;
        case Unary::clamp:
            call.set(0, g * unary(Unary::inside, x, p, q));
            break;
        case Unary::positive:
        case Unary::inside:
            break;
    }
}

void binary_adjoint(AdjointCall& call) {
    const Tensor a = call.input(0), b = call.input(1), g = call.cotangent();
    switch (static_cast<Binary>(call.attributes().kind)) {
        case Binary::add:
            call.set(0, g);
            call.set(1, g);
            break;
        case Binary::sub:
            call.set(0, g);
            if (call.wants(1)) call.set(1, -g);
            break;
        case Binary::mul:
            if (call.wants(0)) call.set(0, g * b);
            if (call.wants(1)) call.set(1, g * a);
            break;
        case Binary::div:
            if (call.wants(0)) call.set(0, g / b);
            if (call.wants(1)) call.set(1, -(g * call.output() / b));
            break;
        case Binary::minimum:
            extremum_adjoint(call, less(a, b));
            break;
        case Binary::maximum:
            extremum_adjoint(call, less(b, a));
            break;
        case Binary::relu_gradient:
        case Binary::tanh_gradient:
        case Binary::gelu_gradient:
        case Binary::less:
        case Binary::less_equal:
        case Binary::equal:
            break;
    }
}

Tensor where(Tensor condition, Tensor a, Tensor b) {
    const Shape shape =
        broadcast_shape("where", condition.shape(), broadcast_shape("where", a.shape(), b.shape()));
    return a.graph().append_one(
        {Op::where,
         {broadcast_to(condition, shape), broadcast_to(a, shape), broadcast_to(b, shape)},
         {shape},
         {},
         a.dtype()});
}

void where_adjoint(AdjointCall& call) {
    const Tensor g = call.cotangent();
    const Tensor zero = fill(call.graph(), {}, 0.0);
    if (call.wants(1)) call.set(1, where(call.input(0), g, zero));
    if (call.wants(2)) call.set(2, where(call.input(0), zero, g));
}

Tensor fill(Graph& graph, const Shape& shape, double value) {
    Attributes attributes;
    attributes.p = value;
    return graph.append_one({Op::fill, {}, {shape}, attributes, graph.real()});
}

Tensor arange(Graph& graph, std::int64_t n) {
    Attributes attributes;
    attributes.q = 1.0;
    return graph.append_one({Op::fill, {}, {{n}}, attributes, graph.real()});
}

}  // namespace drydock
