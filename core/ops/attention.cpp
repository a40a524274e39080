// Causal attention of several heads over padded sequences.
#include "kernels/api/attention.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "core/autodiff.h"
#include "core/ops/adjoints.h"
#include "core/ops/ops.h"

namespace drydock {
namespace {

// The sizes of one call, from the shapes of its operands.
struct Sizes {
    std::int64_t B, T, Q, width;
};

[[noreturn]] void refuse(Tensor q, Tensor kv, Tensor mask, const AttentionHeads& heads) {
    throw Error(fmt::format(
        "[causal_attention] expected q (B Q, W), kv (B T, 2 W) and mask (B, T) with W a multiple "
        "of {} heads, at most {} tokens, and the last query at a token; got {}, {} and {}, queries "
        "from token {} at distances of {}",
        heads.count, kernels::kMaxAttentionTokens, to_string(q.shape()), to_string(kv.shape()),
        to_string(mask.shape()), heads.query_first, heads.query_stride));
}

Sizes check_sizes(Tensor q, Tensor kv, Tensor mask, const AttentionHeads& heads) {
    const bool ranks = q.shape().rank() == 2 && kv.shape().rank() == 2 && mask.shape().rank() == 2;
    if (!ranks || mask.size() == 0 || heads.count < 1 || heads.count > 255) {
        refuse(q, kv, mask, heads);
    }
    Sizes s{mask.shape()[0], mask.shape()[1], q.shape()[0] / mask.shape()[0], q.shape()[1]};
    const bool rows = s.Q >= 1 && s.B * s.Q == q.shape()[0] && s.B * s.T == kv.shape()[0];
    const bool columns = kv.shape()[1] == 2 * s.width && s.width > 0 && s.width % heads.count == 0;
    const bool queries = heads.query_first >= 0 && heads.query_stride >= 1 &&
                         heads.query_first + (s.Q - 1) * heads.query_stride < s.T;
    if (!rows || !columns || !queries || s.T > kernels::kMaxAttentionTokens) {
        refuse(q, kv, mask, heads);
    }
    return s;
}

// (Q, T): 1 where query i may see token j.
Tensor causal_pattern(Graph& graph, const Sizes& s, const AttentionHeads& heads) {
    Tensor pattern;
    for (std::int64_t i = 0; i < s.Q; ++i) {
        const std::int64_t seen = heads.query_first + i * heads.query_stride + 1;
        const Tensor row = pad(fill(graph, {1, seen}, 1.0), 1, 0, s.T);
        pattern = pattern ? concat({pattern, row}, 0) : row;
    }
    return pattern;
}

// One head: softmax(q k / sqrt(D)) over the tokens that a query sees, times v.
Tensor attend(Tensor q, Tensor k, Tensor v, Tensor sees, Tensor kept) {
    const std::int64_t B = q.shape()[0], Q = q.shape()[1], T = k.shape()[1], D = q.shape()[2];
    Graph& graph = q.graph();
    const Tensor products = reshape(q, {B, Q, 1, D}) * reshape(k, {B, 1, T, D});
    const Tensor scores = sum(products, 3) / std::sqrt(static_cast<double>(D));
    // Finite, so that a query that sees nothing has a softmax; the product below makes it zeros.
    const Tensor visible = where(sees, scores, fill(graph, {}, -1e30));
    Tensor weights = exp(visible - reshape(logsumexp(visible, 2), {B, Q, 1})) * sees;
    if (kept) weights = weights * kept;
    return sum(reshape(weights, {B, Q, T, 1}) * reshape(v, {B, 1, T, D}), 2);
}

Tensor composed(Tensor q, Tensor kv, Tensor mask, const AttentionHeads& heads, const Sizes& s,
                double rate, Tensor draws) {
    Graph& graph = q.graph();
    const std::int64_t D = s.width / heads.count;
    const Tensor sees =
        reshape(mask, {s.B, 1, s.T}) * reshape(causal_pattern(graph, s, heads), {1, s.Q, s.T});
    const auto part = [&](Tensor x, std::int64_t rows, std::int64_t begin) {
        return reshape(slice(x, 1, begin, begin + D), {s.B, rows, D});
    };
    Tensor out;
    for (std::int64_t h = 0; h < heads.count; ++h) {
        Tensor kept;
        if (draws) {
            const Tensor u = reshape(slice(draws, 1, h, h + 1), {s.B, s.Q, s.T});
            kept = less_equal(fill(graph, {}, rate), u) / (1.0 - rate);
        }
        const Tensor head = attend(part(q, s.Q, h * D), part(kv, s.T, h * D),
                                   part(kv, s.T, s.width + h * D), sees, kept);
        out = out ? concat({out, head}, 2) : head;
    }
    return reshape(out, q.shape());
}

}  // namespace

// Composition: attend() above, head by head.
Tensor causal_attention(Tensor q, Tensor kv, Tensor mask, const AttentionHeads& heads, double rate,
                        Tensor draws) {
    const Sizes s = check_sizes(q, kv, mask, heads);
    const Shape weights{s.B, heads.count, s.Q, s.T};
    if (draws && (!(draws.shape() == weights) || !(rate >= 0.0 && rate < 1.0))) {
        throw Error(
            fmt::format("[causal_attention] expected draws {} and a rate in [0, 1), got {} "
                        "and {}",
                        to_string(weights), to_string(draws.shape()), rate));
    }
    Graph& graph = q.graph();
    if (!graph.fused()) return composed(q, kv, mask, heads, s, rate, draws);
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(heads.count);
    attributes.n = heads.query_first;
    attributes.axis = static_cast<std::int32_t>(heads.query_stride);
    attributes.p = rate;
    std::vector<Tensor> inputs{contiguous(q), contiguous(kv), contiguous(mask)};
    if (draws) inputs.push_back(contiguous(draws));
    return graph.append({Op::causal_attention,
                         inputs,
                         {q.shape(), {s.B, heads.count, s.Q}},
                         attributes,
                         q.dtype()})[0];
}

// The gradient reads the operands, the output and the softmax's denominators.
void causal_attention_adjoint(AdjointCall& call) {
    const Tensor q = call.input(0), kv = call.input(1);
    std::vector<Tensor> inputs{contiguous(call.cotangent()), call.output(0), call.output(1)};
    for (int i = 0; i < call.input_count(); ++i) inputs.push_back(call.input(i));
    const auto gradients = call.graph().append({Op::causal_attention_gradient,
                                                inputs,
                                                {q.shape(), kv.shape()},
                                                call.attributes(),
                                                q.dtype()});
    if (call.wants(0)) call.set(0, gradients[0]);
    if (call.wants(1)) call.set(1, gradients[1]);
}

}  // namespace drydock
