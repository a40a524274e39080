#include "nn/dropout.h"

#include <fmt/format.h>

#include "base/error.h"

namespace drydock::nn {

Tensor dropout(Tensor x, double rate, const std::string& name) {
    if (rate == 0.0) return x;
    if (!(rate > 0.0 && rate < 1.0)) {
        throw Error(fmt::format("[{}] expected a dropout rate in [0, 1), got {}", name, rate),
                    ErrorKind::usage);
    }
    Graph& graph = x.graph();
    const Tensor draws = graph.random_uniform(name, x.shape(), 0.0, 1.0);
    const Tensor kept = less_equal(fill(graph, {}, rate), draws);
    return x * (kept / (1.0 - rate));
}

}  // namespace drydock::nn
