#include "nn/state_action_critic.h"

#include <fmt/format.h>

#include "base/error.h"

namespace drydock::nn {

StateActionCritic::StateActionCritic(ParameterGroup& group, const std::string& name,
                                     const MlpSpec& spec, std::int64_t action_size)
    : group_(&group), name_(name), action_size_(action_size) {
    const std::vector<Linear::Spec> layers = layer_specs(name, spec);
    observation_size_ = layers.front().in - action_size;
    width_ = layers.front().out;
    activation_ = layers.front().activation;
    if (layers.back().out != 1 || action_size < 1 || observation_size_ < 1) {
        throw Error(fmt::format("[{}] expected layer_sizes from observations and {} actions to 1, "
                                "got [{}]",
                                name, action_size, fmt::join(spec.layer_sizes, ", ")),
                    ErrorKind::usage);
    }
    first_ = Linear::add(group, name + ".layers.0", layers.front());
    for (std::size_t k = 1; k < layers.size(); ++k) {
        rest_.emplace_back(group, fmt::format("{}.layers.{}", name, k), layers[k]);
    }
}

Tensor StateActionCritic::first_weight(Graph& graph, std::int64_t begin, std::int64_t end) const {
    return slice(graph.parameter(*group_, first_.weight), 1, begin, end);
}

Tensor StateActionCritic::encode(Tensor observations) const {
    Graph& graph = observations.graph();
    const Graph::Label label(graph, name_ + ".layers.0");
    return linear(observations, first_weight(graph, 0, observation_size_),
                  graph.parameter(*group_, first_.bias));
}

Tensor StateActionCritic::operator()(Tensor encoded, Tensor actions) const {
    const Shape shape = actions.shape();
    if (shape.rank() != 3 || shape[2] != action_size_ ||
        !(encoded.shape() == Shape{shape[0], width_})) {
        throw Error(
            fmt::format("[{}] expected encoded states (N, {}) and actions (N, n, {}), got "
                        "{} and {}",
                        name_, width_, action_size_, to_string(encoded.shape()), to_string(shape)));
    }
    Graph& graph = encoded.graph();
    const std::int64_t N = shape[0], n = shape[1];
    Tensor x = reshape(actions, {N * n, action_size_});
    {
        const Graph::Label label(graph, name_ + ".layers.0");
        x = linear_with_residual(
            x, first_weight(graph, observation_size_, observation_size_ + action_size_), {},
            encoded, activation_);
    }
    for (const Linear& layer : rest_) x = layer(x);
    return reshape(x, {N, n});
}

}  // namespace drydock::nn
