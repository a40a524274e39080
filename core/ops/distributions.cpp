// Pieces of probability distributions and choices, composed of basic ops.
#include <cmath>

#include "core/ops/ops.h"

namespace drydock {
namespace {

// 0, 1, ..., n - 1 along the last dimension of `shape`.
Tensor numbers(Graph& graph, const Shape& shape) {
    return broadcast_to(arange(graph, shape[shape.rank() - 1]), shape);
}

Shape with_last(Shape shape, std::int64_t last) {
    shape[shape.rank() - 1] = last;
    return shape;
}

}  // namespace

Tensor log_tanh_derivative(Tensor x) { return 2.0 * (std::log(2.0) - x - softplus(-2.0 * x)); }

Tensor atanh(Tensor x, double margin) {
    return 0.5 * (log(maximum(1.0 + x, margin)) - log(maximum(1.0 - x, margin)));
}

Tensor huber(Tensor u, double threshold) {
    const Tensor size = abs(u);
    const Tensor inner = minimum(size, threshold);
    return 0.5 * square(inner) + threshold * (size - inner);
}

Tensor quantile_huber_loss(Tensor predictions, Tensor samples, double threshold) {
    const std::int64_t N = predictions.shape()[0], M = predictions.shape()[1];
    const std::int64_t L = samples.shape()[1];
    Graph& graph = predictions.graph();
    const Tensor u = reshape(samples, {N, L, 1}) - reshape(predictions, {N, 1, M});
    const Tensor tau = (arange(graph, M) + 0.5) / static_cast<double>(M);
    const Tensor weight = abs(tau - less(u, fill(graph, {}, 0.0)));
    return mean(sum(weight * huber(u, threshold), 2)) / threshold;
}

Tensor cross_entropy(Tensor logits, Tensor choices) {
    return logsumexp(logits, 1) - pick(logits, choices);
}

Tensor pick(Tensor x, Tensor choices) {
    Shape mask{x.shape()[0], x.shape()[1]};
    const Tensor chosen = one_hot(choices, mask[1]);
    while (mask.rank() < x.shape().rank()) mask.push_back(1);
    return sum(x * reshape(chosen, mask), 1);
}

Tensor one_hot(Tensor index, std::int64_t n) {
    Shape shape = index.shape();
    shape.push_back(1);
    const Tensor column = reshape(index, shape);
    return equal(column, numbers(index.graph(), with_last(shape, n)));
}

Tensor argmax(Tensor x) {
    Graph& graph = x.graph();
    const int last = x.shape().rank() - 1;
    const Tensor still = detach(x);
    const Tensor top = reshape(max(still, last), with_last(x.shape(), 1));
    const Tensor none = fill(graph, {}, static_cast<double>(x.shape()[last]));
    return min(where(equal(still, top), numbers(graph, x.shape()), none), last);
}

}  // namespace drydock
