#include "core/row_local.h"

#include <algorithm>
#include <numeric>

namespace drydock {
namespace {

const Value& input(const Program& program, const Node& node, int i) {
    return program.value(node.inputs[static_cast<std::size_t>(i)]);
}

// With bf16, a wide product rounds its weights first: every part would do that again.
bool product_by_rows(const Program& program, const Node& node) {
    return program.precision == kernels::Precision::full ||
           input(program, node, 1).shape[0] <= kernels::kNarrowOutputs;
}

bool is_row_local(const Program& program, const Node& node) {
    switch (node.op) {
        case Op::unary:
        case Op::binary:
        case Op::where:
        case Op::gather_rows:
        case Op::random:
        case Op::gaussian_log_prob:
        case Op::layer_norm:
        case Op::layer_norm_input_gradient:
            return true;
        case Op::concat:
        case Op::pad:
        case Op::reduce:
            return node.attributes.axis >= 1;
        case Op::linear:
        case Op::linear_input_gradient:
            return product_by_rows(program, node);
        default:
            return false;
    }
}

}  // namespace

int residual_input(const Node& node) {
    if (node.op != Op::linear || !node.attributes.flag) return -1;
    return node.input_count - (node.attributes.packed ? 2 : 1);
}

std::int64_t row_count(const Program& program, const Node& node) {
    if (!is_row_local(program, node)) return 0;
    const Shape& shape = program.value(node.outputs[0]).shape;
    if (shape.rank() == 0 || shape.size() == 0 || shape[0] < 2) return 0;
    return shape[0];
}

std::int64_t rows_served(const Program& program, const Node& node, int i) {
    const auto served = [](bool by_rows) { return std::int64_t{by_rows ? 1 : 0}; };
    switch (node.op) {
        case Op::gather_rows:
            return served(i == 1);
        case Op::random:
            return 0;
        case Op::gaussian_log_prob:
            return served(i != 1);
        case Op::layer_norm:
            return served(i == 0);
        case Op::layer_norm_input_gradient:
            return served(i != 2);
        case Op::linear_input_gradient:
            return served(i == 0 || (i == 2 && node.attributes.kind != 0));
        case Op::linear:
            if (i != residual_input(node)) return served(i == 0);
            return program.value(node.outputs[0]).shape[0] / input(program, node, i).shape[0];
        default:
            return 1;
    }
}

std::int64_t row_multiple(const Program& program, const Node& node) {
    std::int64_t multiple = node.op == Op::random ? 4 : 1;  // kernels::RandomFill::begin
    for (int i = 0; i < node.input_count; ++i) {
        multiple = std::lcm(multiple, std::max<std::int64_t>(1, rows_served(program, node, i)));
    }
    return multiple;
}

bool rows_lie_in_root(const Program& program, ValueId id) {
    const Value& v = program.value(id);
    const Value& root = program.value(program.root(id));
    if (v.shape.rank() == 0 || v.shape[0] == 0) return false;
    const std::int64_t row = root.shape.size() / v.shape[0];
    if (row * v.shape[0] != root.shape.size() || v.strides[0] != row) return false;
    std::int64_t last = v.storage == Storage::view ? v.offset : 0;
    for (int d = 1; d < v.shape.rank(); ++d) {
        last += (v.shape[d] - 1) * v.strides[static_cast<std::size_t>(d)];
    }
    return last < row;
}

bool follows_by_rows(const Program& program, const Node& writer, const Node& reader, int i) {
    const std::int64_t rows = row_count(program, reader);
    const ValueId id = reader.inputs[static_cast<std::size_t>(i)];
    return rows != 0 && rows == row_count(program, writer) &&
           rows_served(program, reader, i) == 1 && program.value(id).shape[0] == rows &&
           rows_lie_in_root(program, id);
}

Value rows_of(const Value& v, const RowRange& range, std::int64_t served) {
    Value part = v;
    if (served != 0) part.shape[0] = (range.last - range.first) / served;
    return part;
}

}  // namespace drydock
