#include "core/program.h"

#include <fmt/format.h>

#include <iterator>

#include "kernels/api/elementwise.h"
#include "kernels/api/reduce.h"

namespace drydock {
namespace {

constexpr const char* kUnaryNames[] = {
    "copy",        "negate",      "exp",        "log",        "sqrt",  "square",     "absolute",
    "relu",        "tanh",        "sigmoid",    "softplus",   "gelu",  "add_scalar", "mul_scalar",
    "rsub_scalar", "rdiv_scalar", "min_scalar", "max_scalar", "clamp", "positive",   "inside"};
constexpr const char* kBinaryNames[] = {
    "add",  "sub",        "mul",   "div",           "minimum",       "maximum",
    "less", "less_equal", "equal", "relu_gradient", "tanh_gradient", "gelu_gradient"};
constexpr const char* kReductionNames[] = {"sum", "mean", "max", "min", "logsumexp"};
static_assert(std::size(kUnaryNames) == static_cast<std::size_t>(kernels::Unary::inside) + 1);
static_assert(std::size(kBinaryNames) ==
              static_cast<std::size_t>(kernels::Binary::gelu_gradient) + 1);
static_assert(std::size(kReductionNames) ==
              static_cast<std::size_t>(kernels::Reduction::logsumexp) + 1);

// The op, or the function it applies where it has several.
const char* function_name(const Node& node) {
    switch (node.op) {
        case Op::unary:
            return kUnaryNames[node.attributes.kind];
        case Op::binary:
            return kBinaryNames[node.attributes.kind];
        case Op::reduce:
            return kReductionNames[node.attributes.kind];
        default:
            return info(node.op).name;
    }
}

}  // namespace

std::string Program::describe(const Node& node) const {
    std::string text = function_name(node);
    if (node.label >= 0) text += " " + labels[static_cast<std::size_t>(node.label)];
    for (int i = 0; i < node.input_count; ++i) {
        text += (i ? ", " : " ") + to_string(value(node.inputs[static_cast<std::size_t>(i)]).shape);
    }
    for (int i = 0; i < node.output_count; ++i) {
        text +=
            (i ? ", " : " -> ") + to_string(value(node.outputs[static_cast<std::size_t>(i)]).shape);
    }
    return text;
}

std::string Program::dump() const {
    std::string text;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        text += fmt::format("{:4}  {}\n", i, describe(nodes[i]));
    }
    return text;
}

std::int64_t extent(const Value& v) {
    std::int64_t last = 0;
    for (int i = 0; i < v.shape.rank(); ++i) {
        last += (v.shape[i] - 1) * v.strides[static_cast<std::size_t>(i)];
    }
    return v.shape.size() == 0 ? 0 : last + 1;
}

bool overlap(const Value& a, const Value& b) {
    return a.buffer == b.buffer && a.offset < b.offset + extent(b) &&
           b.offset < a.offset + extent(a);
}

}  // namespace drydock
