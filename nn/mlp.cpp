#include "nn/mlp.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "core/initialize.h"
#include "nn/dropout.h"

namespace drydock::nn {

void set_initializer(MlpSpec& spec, const std::string& name) {
    spec.weights = parse_initializer(name);
    const bool pytorch = spec.weights == Initializer::pytorch_default;
    spec.biases = pytorch ? Initializer::pytorch_default : Initializer::zeros;
    const bool scaled = !pytorch && spec.hidden == Activation::relu;
    spec.gain = spec.output_gain = scaled ? std::sqrt(2.0) : 1.0;
}

std::vector<Linear::Spec> layer_specs(const std::string& name, const MlpSpec& spec) {
    const std::vector<std::int64_t>& sizes = spec.layer_sizes;
    bool valid = sizes.size() >= 2;
    for (std::int64_t size : sizes) valid = valid && size > 0;
    if (!valid) {
        throw Error(
            fmt::format("[{}] expected layer_sizes of two or more positive numbers, got [{}]", name,
                        fmt::join(sizes, ", ")),
            ErrorKind::usage);
    }
    std::vector<Linear::Spec> layers;
    for (std::size_t i = 0; i + 2 < sizes.size(); ++i) {
        layers.push_back({sizes[i], sizes[i + 1], spec.hidden, spec.weights, spec.gain, spec.biases,
                          spec.bias_gain});
    }
    layers.push_back({sizes[sizes.size() - 2], sizes.back(), spec.output,
                      spec.output_weights.value_or(spec.weights), spec.output_gain,
                      spec.output_biases.value_or(spec.biases), spec.output_gain});
    return layers;
}

Mlp::Mlp(ParameterGroup& group, const std::string& name, const MlpSpec& spec)
    : name_(name), dropout_(spec.dropout), sizes_(spec.layer_sizes) {
    for (const Linear::Spec& layer : layer_specs(name, spec)) {
        layers_.emplace_back(group, fmt::format("{}.layers.{}", name, layers_.size()), layer);
    }
}

Tensor Mlp::forward(Tensor x, double dropout_rate) const {
    for (std::size_t k = 0; k < layers_.size(); ++k) {
        x = layers_[k](x);
        if (k + 1 == layers_.size()) break;
        x = dropout(x, dropout_rate, fmt::format("{}.layers.{}.dropout", name_, k));
    }
    return x;
}

ScalarMlp::ScalarMlp(ParameterGroup& group, const std::string& name, const MlpSpec& spec)
    : mlp_(group, name, spec) {
    if (mlp_.output_size() != 1) {
        throw Error(
            fmt::format("[{}] expected layer_sizes to end in 1, got {}", name, mlp_.output_size()),
            ErrorKind::usage);
    }
}

Tensor ScalarMlp::operator()(Tensor x) const { return reshape(mlp_(x), {x.shape()[0]}); }

}  // namespace drydock::nn
