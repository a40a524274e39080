// Runs small computations three ways: eagerly, replayed, and through a scalar oracle.
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include "base/philox.h"
#include "core/executable.h"
#include "core/ops/ops.h"

namespace drydock::test {

using Values = std::vector<double>;

struct Input {
    Shape shape;
    double low = -2.0, high = 2.0;  // kinks are avoided by the choice of the range
};

using Builder = std::function<Tensor(Graph&, const std::vector<Tensor>&)>;
using Oracle = std::function<Values(const std::vector<Values>&)>;

struct OpCase {
    std::string name;
    std::vector<Input> inputs;
    Builder build;
    Oracle oracle;
    bool differentiable = true;
};

inline Values draw(const Shape& shape, double low, double high, std::uint64_t seed) {
    Values v(static_cast<std::size_t>(shape.size()));
    for (std::size_t i = 0; i < v.size(); ++i) {
        v[i] = low + (high - low) * uniform_f64(seed, stream_id("test"), 0, i);
    }
    return v;
}

inline std::vector<Values> draw_inputs(const OpCase& c, DType real, std::uint64_t seed = 7) {
    std::vector<Values> values;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        const Input& in = c.inputs[i];
        values.push_back(draw(in.shape, in.low, in.high, seed * 100 + i));
        // The oracle sees what the program sees.
        if (real == DType::f32) {
            for (double& x : values.back()) x = static_cast<double>(static_cast<float>(x));
        }
    }
    return values;
}

// A state whose group "inputs" holds the inputs of a case as parameters.
class CaseState {
  public:
    CaseState(const OpCase& c, const Device& device, DType real, const std::vector<Values>& values)
        : state(device, real), inputs(state.add_group("inputs")), case_(c) {
        for (std::size_t i = 0; i < c.inputs.size(); ++i) {
            inputs.add({"input" + std::to_string(i), c.inputs[i].shape, Initializer::zeros});
        }
        for (std::size_t i = 0; i < values.size(); ++i)
            inputs.write(static_cast<int>(i), values[i]);
    }

    Tensor build(Graph& g) {
        std::vector<Tensor> tensors;
        for (int i = 0; i < inputs.count(); ++i) tensors.push_back(g.parameter(inputs, i));
        return case_.build(g, tensors);
    }

    Values gradient(int i) {
        const Buffer& b = state.buffer(inputs.gradients());
        Values out;
        for (std::int64_t k = 0; k < inputs.spec(i).shape.size(); ++k) {
            const std::int64_t at = inputs.offset(i) + k;
            out.push_back(b.dtype == DType::f32
                              ? static_cast<double>(static_cast<const float*>(b.data)[at])
                              : static_cast<const double*>(b.data)[at]);
        }
        return out;
    }

    State state;
    ParameterGroup& inputs;

  private:
    const OpCase& case_;
};

// sum(output * cotangent), with a cotangent drawn at random: a sum alone would not notice a
// permuted gradient.
inline Tensor weighted_sum(Graph& g, CaseState& s, Tensor y) {
    const Values weights = draw(y.shape(), -1.0, 1.0, 99);
    const BufferId id = s.state.add_column("cotangent" + std::to_string(s.state.buffer_count()),
                                           y.shape(), std::span<const double>(weights));
    return sum(y * g.buffer(id));
}

inline Values eager_forward(const OpCase& c, const Device& device, DType real,
                            const std::vector<Values>& values, bool fused = true) {
    CaseState s(c, device, real, values);
    Graph g(s.state, {.eager = true, .fused = fused});
    return g.read(s.build(g));
}

struct ReplayResult {
    Values forward;
    std::vector<Values> gradients;
};

inline ReplayResult replay(const OpCase& c, const Device& device, DType real,
                           const std::vector<Values>& values, const ExecutableOptions& options,
                           bool fused = true) {
    CaseState s(c, device, real, values);
    Graph g(s.state, {.fused = fused});
    const Tensor y = s.build(g);
    g.keep(y);
    if (c.differentiable) g.gradients(weighted_sum(g, s, y), s.inputs);
    const ValueId id = y.id();
    Executable exe(s.state, options);
    exe.add(g.finish());
    exe.run(1);
    ReplayResult r{exe.read(id), {}};
    if (c.differentiable) {
        for (int i = 0; i < s.inputs.count(); ++i) r.gradients.push_back(s.gradient(i));
    }
    return r;
}

inline ReplayResult eager(const OpCase& c, const Device& device, DType real,
                          const std::vector<Values>& values, bool fused = true) {
    CaseState s(c, device, real, values);
    Graph g(s.state, {.eager = true, .fused = fused});
    const Tensor y = s.build(g);
    if (c.differentiable) g.gradients(weighted_sum(g, s, y), s.inputs);
    ReplayResult r{g.read(y), {}};
    if (c.differentiable) {
        for (int i = 0; i < s.inputs.count(); ++i) r.gradients.push_back(s.gradient(i));
    }
    return r;
}

// Largest |a - b| relative to the largest magnitude of b (at least 1e-3).
inline double deviation(const Values& a, const Values& b) {
    if (a.size() != b.size()) return INFINITY;
    double scale = 1e-3, worst = 0;
    for (double x : b) scale = std::max(scale, std::fabs(x));
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::fabs(a[i] - b[i]) / scale;
        if (!(d <= worst)) worst = d;  // NaN sticks
    }
    return worst;
}

// Equal to the bit, NaN included.
inline bool same_bits(const Values& a, const Values& b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) {
               return x == y ? std::signbit(x) == std::signbit(y) : x != x && y != y;
           });
}

}  // namespace drydock::test
