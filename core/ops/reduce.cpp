// Reductions over one axis or over everything.
#include "kernels/api/reduce.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/autodiff.h"
#include "core/ops/adjoints.h"
#include "core/ops/ops.h"

namespace drydock {

using kernels::Reduction;

namespace {

Tensor reduce(Reduction op, const char* name, Tensor x, int axis) {
    if (axis < 0 || axis >= x.shape().rank() || x.shape()[axis] == 0) {
        throw Error(fmt::format("[{}] expected an axis with elements, got axis {} of {}", name,
                                axis, to_string(x.shape())));
    }
    Shape shape;
    for (int i = 0; i < x.shape().rank(); ++i) {
        if (i != axis) shape.push_back(x.shape()[i]);
    }
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(op);
    attributes.axis = axis;
    return x.graph().append_one({Op::reduce, {contiguous(x)}, {shape}, attributes, x.dtype()});
}

// `y`, which lacks `axis`, repeated to the shape of `x`.
Tensor restore_axis(Tensor y, Tensor x, int axis) {
    Shape with_one = x.shape();
    with_one[axis] = 1;
    return broadcast_to(reshape(y, with_one), x.shape());
}

}  // namespace

Tensor sum(Tensor x, int axis) { return reduce(Reduction::sum, "sum", x, axis); }
Tensor sum(Tensor x) { return sum(reshape(x, {x.size()}), 0); }
Tensor mean(Tensor x, int axis) { return reduce(Reduction::mean, "mean", x, axis); }
Tensor mean(Tensor x) { return mean(reshape(x, {x.size()}), 0); }
Tensor max(Tensor x, int axis) { return reduce(Reduction::max, "max", x, axis); }
Tensor min(Tensor x, int axis) { return reduce(Reduction::min, "min", x, axis); }
Tensor logsumexp(Tensor x, int axis) { return reduce(Reduction::logsumexp, "logsumexp", x, axis); }

void reduce_adjoint(AdjointCall& call) {
    const int axis = call.attributes().axis;
    const Tensor x = call.input(0), y = call.output();
    const Tensor g = restore_axis(call.cotangent(), x, axis);
    switch (static_cast<Reduction>(call.attributes().kind)) {
        case Reduction::sum:
            call.set(0, g);
            break;
        case Reduction::mean:
            call.set(0, g * (1.0 / static_cast<double>(x.shape()[axis])));
            break;
        case Reduction::max:
        case Reduction::min: {
            const Tensor hit = equal(x, restore_axis(y, x, axis));
            const Tensor share = call.cotangent() / sum(hit, axis);
            call.set(0, hit * restore_axis(share, x, axis));
            break;
        }
        case Reduction::logsumexp:
            call.set(0, g * exp(x - restore_axis(y, x, axis)));
            break;
    }
}

}  // namespace drydock
