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

Mlp::Mlp(ParameterGroup& group, const std::string& name, const MlpSpec& spec)
    : name_(name), dropout_(spec.dropout), sizes_(spec.layer_sizes) {
    bool valid = sizes_.size() >= 2;
    for (std::int64_t size : sizes_) valid = valid && size > 0;
    if (!valid) {
        throw Error(
            fmt::format("[{}] expected layer_sizes of two or more positive numbers, got [{}]", name,
                        fmt::join(sizes_, ", ")),
            ErrorKind::usage);
    }
    for (std::size_t i = 0; i + 1 < sizes_.size(); ++i) {
        const bool last = i + 2 == sizes_.size();
        layers_.emplace_back(
            group, fmt::format("{}.layers.{}", name, i),
            Linear::Spec{sizes_[i], sizes_[i + 1], last ? spec.output : spec.hidden, spec.weights,
                         last ? spec.output_gain : spec.gain, spec.biases});
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
