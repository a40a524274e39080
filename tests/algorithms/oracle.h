// Scalar networks and Adam, written out in plain C++: what updates are checked against. Nothing
// here uses the engine.
#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace drydock::test {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

// Parameters or gradients of a multi-layer perceptron: per layer a weight [out][in] and a bias.
struct Layer {
    Rows weight;
    Row bias;
};
using Layers = std::vector<Layer>;

inline Layers zeros_like(const Layers& like) {
    Layers out = like;
    for (Layer& l : out) {
        for (Row& row : l.weight) row.assign(row.size(), 0.0);
        l.bias.assign(l.bias.size(), 0.0);
    }
    return out;
}

// PyTorch's Adam for one array of numbers.
struct AdamState {
    Row m, v;
    int steps = 0;

    void step(std::vector<double*> parameters, const Row& gradient, double learning_rate) {
        m.resize(gradient.size(), 0.0);
        v.resize(gradient.size(), 0.0);
        ++steps;
        for (std::size_t i = 0; i < gradient.size(); ++i) {
            m[i] = 0.9 * m[i] + 0.1 * gradient[i];
            v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
            const double mean = m[i] / (1 - std::pow(0.9, steps));
            const double square = v[i] / (1 - std::pow(0.999, steps));
            *parameters[i] -= learning_rate * mean / (std::sqrt(square) + 1e-8);
        }
    }
};

inline std::vector<double*> pointers(Layers& layers) {
    std::vector<double*> all;
    for (Layer& l : layers) {
        for (Row& row : l.weight) {
            for (double& w : row) all.push_back(&w);
        }
        for (double& b : l.bias) all.push_back(&b);
    }
    return all;
}

inline Row flat(Layers layers) {
    Row all;
    for (const double* x : pointers(layers)) all.push_back(*x);
    return all;
}

// A perceptron with relus, with or without tanh at the end. One sample at a time.
struct Net {
    Layers layers;
    bool tanh_output = false;
    AdamState adam;

    // The values behind each layer, the input first. `factors` multiplies the units of hidden layer
    // k: dropout.
    Rows forward(const Row& input, const Rows& factors = {}) const {
        Rows values{input};
        for (std::size_t k = 0; k < layers.size(); ++k) {
            const bool last = k + 1 == layers.size();
            Row out = layers[k].bias;
            for (std::size_t j = 0; j < out.size(); ++j) {
                for (std::size_t i = 0; i < values[k].size(); ++i) {
                    out[j] += layers[k].weight[j][i] * values[k][i];
                }
                if (last && tanh_output) out[j] = std::tanh(out[j]);
                if (!last) out[j] = std::max(out[j], 0.0);
                if (!last && !factors.empty()) out[j] *= factors[k][j];
            }
            values.push_back(out);
        }
        return values;
    }
    double value(const Row& input) const { return forward(input).back()[0]; }

    // Adds the gradient of a loss whose derivative by the output of `values` is `outer`.
    void backward(const Rows& values, Row outer, Layers& gradient, const Rows& factors = {}) const {
        for (std::size_t k = layers.size(); k-- > 0;) {
            const bool last = k + 1 == layers.size();
            for (std::size_t j = 0; j < outer.size(); ++j) {
                const double y = values[k + 1][j];
                if (last && tanh_output) outer[j] *= 1 - y * y;
                if (!last) outer[j] *= (y > 0 ? 1.0 : 0.0) * (factors.empty() ? 1 : factors[k][j]);
                gradient[k].bias[j] += outer[j];
            }
            Row inner(values[k].size(), 0.0);
            for (std::size_t j = 0; j < outer.size(); ++j) {
                for (std::size_t i = 0; i < inner.size(); ++i) {
                    gradient[k].weight[j][i] += outer[j] * values[k][i];
                    inner[i] += outer[j] * layers[k].weight[j][i];
                }
            }
            outer = inner;
        }
    }

    void step(const Layers& gradient, double learning_rate) {
        adam.step(pointers(layers), flat(gradient), learning_rate);
    }
};

}  // namespace drydock::test
