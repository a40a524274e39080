// Rows of the op table for what sequences need.
#include <numbers>

#include "tests/core/op_cases.h"

namespace drydock::test {
namespace {

using In = std::vector<Values>;
using T = std::vector<Tensor>;

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

// A constant of the program, which takes no gradient.
Tensor constant(Graph& g, const Shape& shape, const Values& values) {
    const BufferId id = g.state().add_column("constant" + std::to_string(g.state().buffer_count()),
                                             shape, std::span<const double>(values));
    return g.buffer(id);
}

OpCase normalized(std::int64_t N, std::int64_t D) {
    return {"layer norm",
            {{{N, D}, -2, 3}, {{D}}, {{D}}},
            [](Graph&, const T& t) { return layer_norm(t[0], t[1], t[2], 1e-5); },
            [=](const In& in) {
                Values y;
                const auto count = static_cast<double>(D);
                for (std::int64_t n = 0; n < N; ++n) {
                    double mean = 0, variance = 0;
                    for (std::int64_t i = 0; i < D; ++i) mean += in[0][u(n * D + i)] / count;
                    for (std::int64_t i = 0; i < D; ++i) {
                        variance += std::pow(in[0][u(n * D + i)] - mean, 2) / count;
                    }
                    for (std::int64_t i = 0; i < D; ++i) {
                        y.push_back((in[0][u(n * D + i)] - mean) / std::sqrt(variance + 1e-5) *
                                        in[1][u(i)] +
                                    in[2][u(i)]);
                    }
                }
                return y;
            }};
}

struct Heads {
    std::int64_t B, T, Q, width;
    AttentionHeads heads;
    double rate;
    Values mask;  // (B, T)

    Shape weights() const { return {B, heads.count, Q, T}; }
    Values draws() const { return draw(weights(), 0.0, 1.0, 5); }
};

// Of one query of one head: softmax over the tokens it sees, dropped where a draw says so.
Values weights_of(const Heads& c, const In& in, const Values& draws, std::int64_t b, std::int64_t h,
                  std::int64_t i) {
    const std::int64_t D = c.width / c.heads.count;
    Values w(u(c.T), 0.0);
    double total = 0;
    for (std::int64_t j = 0; j <= c.heads.query_first + i * c.heads.query_stride; ++j) {
        if (c.mask[u(b * c.T + j)] == 0) continue;
        double score = 0;
        for (std::int64_t d = 0; d < D; ++d) {
            score += in[0][u((b * c.Q + i) * c.width + h * D + d)] *
                     in[1][u((b * c.T + j) * 2 * c.width + h * D + d)];
        }
        w[u(j)] = std::exp(score / std::sqrt(static_cast<double>(D)));
        total += w[u(j)];
    }
    for (std::int64_t j = 0; j < c.T; ++j) {
        if (total > 0) w[u(j)] /= total;
        if (c.rate == 0) continue;
        const double drawn = draws[u(((b * c.heads.count + h) * c.Q + i) * c.T + j)];
        w[u(j)] *= drawn < c.rate ? 0.0 : 1 / (1 - c.rate);
    }
    return w;
}

OpCase attended(const char* name, const Heads& c) {
    return {name,
            {{{c.B * c.Q, c.width}}, {{c.B * c.T, 2 * c.width}}},
            [c](Graph& g, const T& t) {
                const Tensor mask = constant(g, {c.B, c.T}, c.mask);
                const Tensor draws = c.rate > 0 ? constant(g, c.weights(), c.draws()) : Tensor();
                return causal_attention(t[0], t[1], mask, c.heads, c.rate, draws);
            },
            [c](const In& in) {
                const std::int64_t D = c.width / c.heads.count;
                const Values draws = c.draws();
                Values y(u(c.B * c.Q * c.width), 0.0);
                for (std::int64_t b = 0; b < c.B; ++b) {
                    for (std::int64_t h = 0; h < c.heads.count; ++h) {
                        for (std::int64_t i = 0; i < c.Q; ++i) {
                            const Values w = weights_of(c, in, draws, b, h, i);
                            for (std::int64_t j = 0; j < c.T; ++j) {
                                for (std::int64_t d = 0; d < D; ++d) {
                                    y[u((b * c.Q + i) * c.width + h * D + d)] +=
                                        w[u(j)] *
                                        in[1][u((b * c.T + j) * 2 * c.width + c.width + h * D + d)];
                                }
                            }
                        }
                    }
                }
                return y;
            }};
}

OpCase gelu_case() {
    return {"gelu",
            {{{3, 7}, -3, 3}},
            [](Graph&, const T& t) { return gelu(t[0]); },
            [](const In& in) {
                Values y;
                for (double x : in[0])
                    y.push_back(0.5 * x * (1 + std::erf(x / std::numbers::sqrt2)));
                return y;
            }};
}

}  // namespace

std::vector<OpCase> sequence_cases() {
    return {
        {"rows of three parts interleaved, and every third of them",
         {{{2, 2}}, {{2, 2}}, {{2, 2}}},
         [](Graph&, const T& t) {
             const Tensor all = interleave({t[0], t[1], t[2]});
             return concat({all, 2.0 * every_row(all, 1, 3)}, 0);
         },
         [](const In& in) {
             Values y;
             for (std::size_t row = 0; row < 2; ++row) {
                 for (const Values& part : in) {
                     y.insert(y.end(), {part[2 * row], part[2 * row + 1]});
                 }
             }
             for (const double x : in[1]) y.push_back(2 * x);
             return y;
         }},
        gelu_case(),
        normalized(5, 9),
        attended("causal attention", {2, 5, 5, 4, {1, 0, 1}, 0.0, Values(10, 1.0)}),
        attended("causal attention of two heads over padding on the right",
                 {2, 6, 6, 6, {2, 0, 1}, 0.0, {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}}),
        attended("causal attention of every third token over padding on the left, with dropout",
                 {2, 6, 2, 6, {3, 1, 3}, 0.3, {0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}}),
    };
}

}  // namespace drydock::test
