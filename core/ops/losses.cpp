// Losses. A fused loss computes its gradient with its value, so its adjoint is a product at most.
#include "kernels/api/losses.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "core/autodiff.h"
#include "core/ops/adjoints.h"
#include "core/ops/ops.h"

namespace drydock {

// Composition: mean(square(a - b)).
Tensor mse(Tensor a, Tensor b) {
    if (!(a.shape() == b.shape()) || a.size() == 0) {
        throw Error(fmt::format("[mse] expected equal shapes with elements, got {} and {}",
                                to_string(a.shape()), to_string(b.shape())));
    }
    Graph& graph = a.graph();
    if (!graph.fused()) return mean(square(a - b));
    return graph.append(
        {Op::mse_loss, {contiguous(a), contiguous(b)}, {{}, a.shape()}, {}, a.dtype()})[0];
}

void mse_loss_adjoint(AdjointCall& call) {
    const Tensor da = scale_by_cotangent(call.cotangent(), call.output(1));
    if (call.wants(0)) call.set(0, da);
    if (call.wants(1)) call.set(1, -da);
}

// Composition: mean(|expectile - 1(u < 0)| square(u)), the weight held fixed.
Tensor expectile_loss(Tensor u, double expectile) {
    if (!(expectile > 0.0 && expectile < 1.0)) {
        throw Error(fmt::format("[expectile_loss] expected expectile in (0, 1), got {}", expectile),
                    ErrorKind::usage);
    }
    if (u.size() == 0) throw Error("[expectile_loss] expected at least one element, got none");
    Graph& graph = u.graph();
    if (!graph.fused()) {
        const Tensor weight = abs(expectile - positive(-u));
        return mean(weight * square(u));
    }
    Attributes attributes;
    attributes.p = expectile;
    return graph.append(
        {Op::expectile_loss, {contiguous(u)}, {{}, u.shape()}, attributes, u.dtype()})[0];
}

void expectile_loss_adjoint(AdjointCall& call) {
    call.set(0, scale_by_cotangent(call.cotangent(), call.output(1)));
}

// Composition: sum over A of -square((x - mean) / exp(log_std)) / 2 - log_std - log(2 pi) / 2.
Tensor gaussian_log_prob(Tensor mean, Tensor log_std, Tensor x) {
    if (mean.shape().rank() != 2 || !(x.shape() == mean.shape()) ||
        !(log_std.shape() == Shape{mean.shape()[1]})) {
        throw Error(
            fmt::format("[gaussian_log_prob] expected mean (N, A), log_std (A) and x (N, A), "
                        "got {}, {} and {}",
                        to_string(mean.shape()), to_string(log_std.shape()), to_string(x.shape())));
    }
    Graph& graph = mean.graph();
    if (!graph.fused()) {
        const double half_log_2pi = 0.5 * std::log(2.0 * std::numbers::pi);
        return sum(-0.5 * square((x - mean) / exp(log_std)) - log_std - half_log_2pi, 1);
    }
    return graph.append_one({Op::gaussian_log_prob,
                             {contiguous(mean), contiguous(log_std), contiguous(x)},
                             {{mean.shape()[0]}},
                             {},
                             mean.dtype()});
}

void gaussian_log_prob_adjoint(AdjointCall& call) {
    const Tensor mean = call.input(0), log_std = call.input(1), x = call.input(2);
    const auto gradients = call.graph().append({Op::gaussian_log_prob_gradient,
                                                {contiguous(call.cotangent()), mean, log_std, x},
                                                {mean.shape(), log_std.shape()},
                                                {},
                                                mean.dtype()});
    if (call.wants(0)) call.set(0, gradients[0]);
    if (call.wants(1)) call.set(1, gradients[1]);
    if (call.wants(2)) call.set(2, -gradients[0]);
}

}  // namespace drydock
