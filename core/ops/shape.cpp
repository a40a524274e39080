// Views, and the ops that move elements about.
#include <fmt/format.h>

#include "base/error.h"
#include "core/autodiff.h"
#include "core/ops/adjoints.h"
#include "core/ops/ops.h"

namespace drydock {
namespace {

void check_axis(const char* op, Tensor x, int axis) {
    if (axis < 0 || axis >= x.shape().rank()) {
        throw Error(fmt::format("[{}] expected an axis in [0, {}), got {} for {}", op,
                                x.shape().rank(), axis, to_string(x.shape())));
    }
}

// (outer, width): a table of rows.
std::int64_t row_width(Tensor table) {
    return table.shape()[0] ? table.size() / table.shape()[0] : 0;
}

}  // namespace

Tensor detach(Tensor x) {
    return x.graph().append_view(Op::detach, x, x.shape(), x.value().strides, 0);
}

// No gradient: the chain ends here.
void detach_adjoint(AdjointCall&) {}

Tensor reshape(Tensor x, const Shape& shape) {
    if (shape.size() != x.size()) {
        throw Error(fmt::format("[reshape] expected a shape of {} elements for {}, got {}",
                                x.size(), to_string(x.shape()), to_string(shape)));
    }
    if (shape == x.shape()) return x;
    const Tensor c = contiguous(x);
    return x.graph().append_view(Op::reshape, c, shape, contiguous_strides(shape), 0);
}

void reshape_adjoint(AdjointCall& call) {
    call.set(0, reshape(call.cotangent(), call.input(0).shape()));
}

Tensor slice(Tensor x, int axis, std::int64_t begin, std::int64_t end) {
    check_axis("slice", x, axis);
    if (begin < 0 || end < begin || end > x.shape()[axis]) {
        throw Error(fmt::format("[slice] expected 0 <= begin <= end <= {}, got [{}, {})",
                                x.shape()[axis], begin, end));
    }
    Shape shape = x.shape();
    shape[axis] = end - begin;
    Attributes attributes;
    attributes.axis = axis;
    attributes.n = begin;
    const Strides& strides = x.value().strides;
    return x.graph().append_view(Op::slice, x, shape, strides,
                                 begin * strides[static_cast<std::size_t>(axis)], attributes);
}

void slice_adjoint(AdjointCall& call) {
    const int axis = call.attributes().axis;
    call.set(0, pad(call.cotangent(), axis, call.attributes().n, call.input(0).shape()[axis]));
}

Tensor broadcast_to(Tensor x, const Shape& shape) {
    if (x.shape() == shape) return x;
    if (!(broadcast_shape("broadcast", x.shape(), shape) == shape)) {
        throw Error(fmt::format("[broadcast] expected a shape that repeats to {}, got {}",
                                to_string(shape), to_string(x.shape())));
    }
    Strides strides{};
    const int lead = shape.rank() - x.shape().rank();
    for (int i = lead; i < shape.rank(); ++i) {
        const std::int64_t stride = x.value().strides[static_cast<std::size_t>(i - lead)];
        strides[static_cast<std::size_t>(i)] = x.shape()[i - lead] == 1 ? 0 : stride;
    }
    return x.graph().append_view(Op::broadcast, x, shape, strides, 0);
}

void broadcast_adjoint(AdjointCall& call) {
    call.set(0, sum_to(call.cotangent(), call.input(0).shape()));
}

Tensor sum_to(Tensor x, const Shape& shape) {
    if (x.shape() == shape) return x;
    const int lead = x.shape().rank() - shape.rank();
    Tensor y = x;
    for (int i = x.shape().rank() - 1; i >= 0; --i) {
        const bool repeated = i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1);
        if (repeated) y = sum(y, i);
    }
    return reshape(y, shape);
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
    if (parts.empty() || parts.size() > kMaxInputs) {
        throw Error(
            fmt::format("[concat] expected 1 to {} parts, got {}", kMaxInputs, parts.size()));
    }
    check_axis("concat", parts[0], axis);
    Shape shape = parts[0].shape();
    shape[axis] = 0;
    for (const Tensor& part : parts) {
        Shape other = part.shape();
        if (other.rank() == shape.rank()) {
            shape[axis] += other[axis];
            other[axis] = shape[axis];
        }
        if (!(other == shape)) {
            throw Error(
                fmt::format("[concat] expected shapes equal but along axis {}, got {} and {}", axis,
                            to_string(parts[0].shape()), to_string(part.shape())));
        }
    }
    Attributes attributes;
    attributes.axis = axis;
    return parts[0].graph().append_one({Op::concat, parts, {shape}, attributes, parts[0].dtype()});
}

void concat_adjoint(AdjointCall& call) {
    const int axis = call.attributes().axis;
    std::int64_t begin = 0;
    for (int i = 0; i < call.input_count(); ++i) {
        const std::int64_t end = begin + call.input(i).shape()[axis];
        if (call.wants(i)) call.set(i, slice(call.cotangent(), axis, begin, end));
        begin = end;
    }
}

Tensor interleave(const std::vector<Tensor>& parts) {
    std::vector<Tensor> rows;
    for (const Tensor& part : parts) {
        const std::int64_t n = part.shape().rank() > 0 ? part.shape()[0] : 0;
        if (n == 0) {
            throw Error(fmt::format("[interleave] expected parts with rows, got {}",
                                    to_string(part.shape())));
        }
        rows.push_back(reshape(part, {n, 1, part.size() / n}));
    }
    const Tensor together = concat(rows, 1);
    Shape shape = parts[0].shape();
    shape[0] *= std::ssize(parts);
    return reshape(together, shape);
}

Tensor every_row(Tensor x, std::int64_t first, std::int64_t stride) {
    if (x.shape().rank() != 2 || first < 0 || first >= stride || x.shape()[0] % stride != 0) {
        throw Error(
            fmt::format("[every_row] expected x (N, D) with N a multiple of the stride and "
                        "0 <= first < stride, got {}, {} and {}",
                        to_string(x.shape()), first, stride));
    }
    if (stride == 1) return x;
    const std::int64_t n = x.shape()[0] / stride, width = x.shape()[1];
    return reshape(slice(reshape(x, {n, stride, width}), 1, first, first + 1), {n, width});
}

Tensor pad(Tensor x, int axis, std::int64_t begin, std::int64_t length) {
    check_axis("pad", x, axis);
    if (begin < 0 || begin + x.shape()[axis] > length) {
        throw Error(fmt::format("[pad] expected {} elements from {} to fit into {}",
                                x.shape()[axis], begin, length));
    }
    Shape shape = x.shape();
    shape[axis] = length;
    Attributes attributes;
    attributes.axis = axis;
    attributes.n = begin;
    return x.graph().append_one({Op::pad, {x}, {shape}, attributes, x.dtype()});
}

void pad_adjoint(AdjointCall& call) {
    const int axis = call.attributes().axis;
    const std::int64_t begin = call.attributes().n;
    call.set(0, slice(call.cotangent(), axis, begin, begin + call.input(0).shape()[axis]));
}

void store(Tensor value, Tensor destination) {
    const Value& to = destination.value();
    if (to.storage != Storage::persistent || to.dtype != value.dtype() ||
        !(to.shape == value.shape())) {
        throw Error(fmt::format("[store] expected a destination in a buffer of {} {}, got {} {}{}",
                                name_of(value.dtype()), to_string(value.shape()), name_of(to.dtype),
                                to_string(to.shape),
                                to.storage == Storage::persistent ? "" : " in temporary memory"));
    }
    const Value& from = value.value();
    const bool same_buffer = from.storage == Storage::persistent && from.buffer == to.buffer;
    const DType dtype = to.dtype;
    value.graph().append(
        {Op::store, {same_buffer ? copy(value) : value, destination}, {}, {}, dtype});
}

Tensor gather_rows(Tensor table, Tensor indices) {
    if (indices.dtype() != DType::i64 || indices.shape().rank() != 1 || table.shape().rank() < 1) {
        throw Error(fmt::format(
            "[gather_rows] expected a table (R, ...) and i64 indices (N), got {} "
            "and {} {}",
            to_string(table.shape()), name_of(indices.dtype()), to_string(indices.shape())));
    }
    Shape shape = table.shape();
    shape[0] = indices.shape()[0];
    return table.graph().append_one(
        {Op::gather_rows, {contiguous(table), contiguous(indices)}, {shape}, {}, table.dtype()});
}

void gather_rows_adjoint(AdjointCall& call) {
    const Tensor table = call.input(0);
    call.set(0, call.graph().append_one({Op::scatter_add_rows,
                                         {contiguous(call.cotangent()), call.input(1)},
                                         {table.shape()},
                                         {},
                                         table.dtype()}));
}

Tensor select_row(Tensor table) {
    Graph& graph = table.graph();
    if (table.shape().rank() < 1 || row_width(table) == 0) {
        throw Error(fmt::format("[select_row] expected a table (steps, ...), got {}",
                                to_string(table.shape())));
    }
    Shape shape;
    for (int i = 1; i < table.shape().rank(); ++i) shape.push_back(table.shape()[i]);
    return graph.append_one({Op::select_row,
                             {contiguous(table), graph.buffer(graph.state().counters_buffer())},
                             {shape},
                             {},
                             table.dtype()});
}

}  // namespace drydock
