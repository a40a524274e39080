// The programs whose nodes `drydock bench kernels` times, with the sizes of the algorithms' papers.
#include <fmt/format.h>

#include "core/ops/ops.h"
#include "measure/kernels.h"

namespace drydock::measure {
namespace {

using Record = std::function<void(State&, Graph&)>;

// Values near 1, which no function here minds.
Tensor values(State& state, Graph& g, const std::string& name, const Shape& shape) {
    std::vector<float> x(static_cast<std::size_t>(shape.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = 0.5f + 0.001f * static_cast<float>(i * 2654435761U % 1000);
    }
    return g.buffer(state.add_column(name, shape, std::span<const float>(x)));
}

// Trainable values in a group of their own, and what the gradient of their use is to be.
class Trained {
  public:
    Trained(State& state, Graph& g, const std::vector<Shape>& shapes)
        : state_(state), g_(g), group_(state.add_group("parameters")) {
        for (std::size_t i = 0; i < shapes.size(); ++i) {
            group_.add({fmt::format("p{}", i), shapes[i], Initializer::normal, 0.1});
        }
        group_.initialize(1);
    }
    Tensor operator[](int i) { return g_.parameter(group_, i); }
    ParameterGroup& group() { return group_; }
    // Records the gradients of a loss through which every element of y counts differently.
    void gradients_through(Tensor y) {
        g_.keep(y);
        g_.gradients(sum(y * values(state_, g_, "cotangent", y.shape())), group_);
    }

  private:
    State& state_;
    Graph& g_;
    ParameterGroup& group_;
};

// A layer above a hidden layer: relu below and above, or nothing above where it is the last.
Record layer(std::int64_t N, std::int64_t I, std::int64_t O) {
    return [=](State& state, Graph& g) {
        Trained p(state, g, {{N, I}, {O, I}, {O}});
        const Activation above = O > 16 ? Activation::relu : Activation::none;
        p.gradients_through(linear(relu(p[0]), p[1], p[2], above));
    };
}

void add_layers(std::vector<KernelCase>& cases) {
    struct Size {
        std::int64_t N, I, O;
        bool first;  // of its network: nothing is trained below it
    };
    std::vector<Size> sizes = {{256, 256, 256, false}};
    for (const std::int64_t inputs : {11, 17, 23}) sizes.push_back({256, inputs, 256, true});
    for (const std::int64_t outputs : {1, 3, 6, 12}) sizes.push_back({256, 256, outputs, false});
    for (const Size& size :
         {Size{2560, 256, 256, false}, Size{7936, 6, 256, true}, Size{7936, 256, 256, false},
          Size{3840, 128, 128, false}, Size{3840, 128, 384, false}, Size{3840, 128, 512, false},
          Size{3840, 512, 128, false}}) {
        sizes.push_back(size);
    }
    for (const Size& s : sizes) {
        const std::string text = fmt::format("{} x {} -> {}", s.N, s.I, s.O);
        const Record record = layer(s.N, s.I, s.O);
        cases.push_back({"linear forward", text, Op::linear, record});
        if (!s.first) {
            cases.push_back({"linear input gradient", text, Op::linear_input_gradient, record});
        }
        cases.push_back({"linear weight gradient", text, Op::linear_weight_gradient, record});
    }
}

void add_optimizers(std::vector<KernelCase>& cases) {
    for (const std::int64_t n : {70'000, 144'000, 600'000}) {
        const std::string text = fmt::format("{} parameters", n);
        cases.push_back({"adam", text, Op::adam_step, [n](State& state, Graph& g) {
                             g.step(Trained(state, g, {{n}}).group());
                         }});
        cases.push_back({"adam and polyak", text, Op::adam_step, [n](State& state, Graph& g) {
                             Trained p(state, g, {{n}});
                             ParameterGroup& target = state.add_group("target", false);
                             target.add({"t0", {n}, Initializer::zeros});
                             g.step(p.group());
                             g.polyak(p.group(), target, 0.005);
                         }});
        cases.push_back({"polyak", text, Op::polyak, [n](State& state, Graph& g) {
                             Trained p(state, g, {{n}});
                             ParameterGroup& target = state.add_group("target", false);
                             target.add({"t0", {n}, Initializer::zeros});
                             g.polyak(p.group(), target, 0.005);
                         }});
    }
}

void add_sequences(std::vector<KernelCase>& cases) {
    constexpr std::int64_t B = 64, T = 60, W = 128;
    const std::string rows = fmt::format("{} x {}", B * T, W);
    const Record norm = [](State& state, Graph& g) {
        Trained p(state, g, {{B * T, W}, {W}, {W}});
        p.gradients_through(layer_norm(p[0], p[1], p[2], 1e-5));
    };
    cases.push_back({"layer norm", rows, Op::layer_norm, norm});
    cases.push_back({"layer norm input gradient", rows, Op::layer_norm_input_gradient, norm});
    cases.push_back({"layer norm weight gradient", rows, Op::layer_norm_weight_gradient, norm});
    struct Queries {
        std::int64_t count;
        AttentionHeads heads;
    };
    for (const Queries& q : {Queries{T, {1, 0, 1}}, Queries{T / 3, {1, 1, 3}}}) {
        const Record attend = [q](State& state, Graph& g) {
            Trained p(state, g, {{B * q.count, W}, {B * T, 2 * W}});
            const Tensor draws = g.random_uniform("draws", {B, 1, q.count, T}, 0.0, 1.0);
            p.gradients_through(causal_attention(p[0], p[1], values(state, g, "mask", {B, T}),
                                                 q.heads, 0.1, draws));
        };
        const std::string text = fmt::format("{} x {} of {} tokens, width {}", B, q.count, T, W);
        cases.push_back({"attention", text, Op::causal_attention, attend});
        cases.push_back({"attention gradient", text, Op::causal_attention_gradient, attend});
    }
}

void add_losses(std::vector<KernelCase>& cases) {
    constexpr std::int64_t N = 256;
    cases.push_back({"expectile loss", "256", Op::expectile_loss, [](State& state, Graph& g) {
                         g.keep(expectile_loss(values(state, g, "u", {N}), 0.7));
                     }});
    cases.push_back({"mse loss", "256", Op::mse_loss, [](State& state, Graph& g) {
                         g.keep(mse(values(state, g, "a", {N}), values(state, g, "b", {N})));
                     }});
    const Record density = [](State& state, Graph& g) {
        Trained p(state, g, {{N, 6}, {6}});
        p.gradients_through(gaussian_log_prob(p[0], p[1], values(state, g, "x", {N, 6})));
    };
    cases.push_back({"gaussian log prob", "256 x 6", Op::gaussian_log_prob, density});
    cases.push_back(
        {"gaussian log prob gradient", "256 x 6", Op::gaussian_log_prob_gradient, density});
    cases.push_back({"logsumexp", "256 x 31", Op::reduce, [](State& state, Graph& g) {
                         g.keep(logsumexp(values(state, g, "x", {N, 31}), 1));
                     }});
    cases.push_back({"mean of all", "7936", Op::reduce,
                     [](State& state, Graph& g) { g.keep(mean(values(state, g, "x", {7936}))); }});
}

void add_elementwise(std::vector<KernelCase>& cases) {
    const auto add = [&](const std::string& name, const Shape& shape, Op op,
                         const std::function<Tensor(Tensor, Tensor)>& of) {
        cases.push_back(
            {name, fmt::format("{} x {}", shape[0], shape[1]), op, [=](State& state, Graph& g) {
                 g.keep(of(values(state, g, "a", shape), values(state, g, "b", shape)));
             }});
    };
    add("add", {3840, 128}, Op::binary, [](Tensor a, Tensor b) { return a + b; });
    add("add a row", {3840, 128}, Op::binary,
        [](Tensor a, Tensor b) { return a + slice(b, 0, 0, 1); });
    add("multiply", {256, 256}, Op::binary, [](Tensor a, Tensor b) { return a * b; });
    add("gelu", {3840, 512}, Op::unary, [](Tensor a, Tensor) { return gelu(a); });
    add("exp", {256, 31}, Op::unary, [](Tensor a, Tensor) { return exp(a); });
    add("tanh", {2560, 6}, Op::unary, [](Tensor a, Tensor) { return tanh(a); });
    add("softplus", {2560, 6}, Op::unary, [](Tensor a, Tensor) { return softplus(a); });
    add("minimum", {256, 1}, Op::binary, [](Tensor a, Tensor b) { return minimum(a, b); });
    add("concat", {256, 17}, Op::concat, [](Tensor a, Tensor b) { return concat({a, b}, 1); });
    cases.push_back({"gelu gradient", "3840 x 512", Op::binary, [](State& state, Graph& g) {
                         Trained p(state, g, {{3840, 512}});
                         p.gradients_through(gelu(p[0]));
                     }});
}

void add_batches(std::vector<KernelCase>& cases) {
    for (const std::int64_t width : {11, 17}) {
        cases.push_back({"gather rows", fmt::format("256 of 100000 x {}", width), Op::gather_rows,
                         [width](State& state, Graph& g) {
                             state.counters().dataset_size = 100'000;
                             g.keep(gather_rows(values(state, g, "table", {100'000, width}),
                                                g.random_rows("rows", 256)));
                         }});
    }
    const auto draw = [&](const std::string& name, const std::string& sizes,
                          const std::function<Tensor(Graph&)>& of) {
        cases.push_back({name, sizes, Op::random, [of](State& state, Graph& g) {
                             state.counters().dataset_size = 100'000;
                             g.keep(of(g));
                         }});
    };
    draw("random rows", "256", [](Graph& g) { return g.random_rows("x", 256); });
    draw("random normal", "256 x 6", [](Graph& g) { return g.random_normal("x", {256, 6}); });
    draw("random normal", "256 x 10 x 6", [](Graph& g) {
        return g.random_normal("x", {256, 10, 6});
    });
    draw("random uniform", "256 x 10 x 6", [](Graph& g) {
        return g.random_uniform("x", {256, 10, 6}, -1.0, 1.0);
    });
    draw("random uniform", "3840 x 128", [](Graph& g) {
        return g.random_uniform("x", {3840, 128}, 0.0, 1.0);
    });
}

}  // namespace

std::vector<KernelCase> kernel_cases() {
    std::vector<KernelCase> cases;
    add_layers(cases);
    add_optimizers(cases);
    add_sequences(cases);
    add_losses(cases);
    add_elementwise(cases);
    add_batches(cases);
    return cases;
}

}  // namespace drydock::measure
