// Layer normalisation.
#include "kernels/api/normalization.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/autodiff.h"
#include "core/ops/adjoints.h"
#include "core/ops/ops.h"

namespace drydock {

// Composition: centred = x - mean(x), y = centred / sqrt(mean(square(centred)) + epsilon) weight +
// bias.
Tensor layer_norm(Tensor x, Tensor weight, Tensor bias, double epsilon) {
    const bool fits = x.shape().rank() == 2 && x.shape()[1] > 0;
    if (!fits || !(weight.shape() == Shape{x.shape()[1]}) || !(bias.shape() == weight.shape())) {
        throw Error(
            fmt::format("[layer_norm] expected x (N, D), weight (D) and bias (D), got {}, "
                        "{} and {}",
                        to_string(x.shape()), to_string(weight.shape()), to_string(bias.shape())));
    }
    if (!(epsilon >= 0.0)) {
        throw Error(fmt::format("[layer_norm] expected an epsilon of 0 or more, got {}", epsilon),
                    ErrorKind::usage);
    }
    Graph& graph = x.graph();
    if (!graph.fused()) {
        const Shape column{x.shape()[0], 1};
        const Tensor centred = x - reshape(mean(x, 1), column);
        const Tensor variance = reshape(mean(square(centred), 1), column);
        return centred / sqrt(variance + epsilon) * weight + bias;
    }
    Attributes attributes;
    attributes.p = epsilon;
    return graph.append({Op::layer_norm,
                         {contiguous(x), contiguous(weight), contiguous(bias)},
                         {x.shape(), {x.shape()[0], 2}},
                         attributes,
                         x.dtype()})[0];
}

void layer_norm_adjoint(AdjointCall& call) {
    Graph& graph = call.graph();
    const Tensor x = call.input(0), weight = call.input(1), statistics = call.output(1);
    const Tensor dy = contiguous(call.cotangent());
    if (call.wants(0)) {
        call.set(0, graph.append_one({Op::layer_norm_input_gradient,
                                      {dy, x, weight, statistics},
                                      {x.shape()},
                                      {},
                                      x.dtype()}));
    }
    if (!call.wants(1) && !call.wants(2)) return;
    const auto gradients = graph.append({Op::layer_norm_weight_gradient,
                                         {dy, x, statistics},
                                         {weight.shape(), weight.shape()},
                                         {},
                                         x.dtype()});
    call.set(1, gradients[0]);
    call.set(2, gradients[1]);
}

}  // namespace drydock
