// Rows of the op table for products and linear layers.
#include "tests/core/op_cases.h"

namespace drydock::test {
namespace {

using In = std::vector<Values>;
using T = std::vector<Tensor>;

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

OpCase product(const char* name, bool ta, bool tb) {
    const std::int64_t M = 4, K = 5, N = 3;
    return {name,
            {{ta ? Shape{K, M} : Shape{M, K}}, {tb ? Shape{N, K} : Shape{K, N}}},
            [=](Graph&, const T& t) { return matmul(t[0], t[1], ta, tb); },
            [=](const In& in) {
                Values y;
                for (std::int64_t m = 0; m < M; ++m) {
                    for (std::int64_t n = 0; n < N; ++n) {
                        double s = 0;
                        for (std::int64_t k = 0; k < K; ++k) {
                            s += in[0][u(ta ? k * M + m : m * K + k)] *
                                 in[1][u(tb ? n * K + k : k * N + n)];
                        }
                        y.push_back(s);
                    }
                }
                return y;
            }};
}

double activated(double x, Activation a) {
    if (a == Activation::gelu) return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    return a == Activation::relu ? std::max(x, 0.0) : a == Activation::tanh ? std::tanh(x) : x;
}

// With residual_rows, each of those serves N / residual_rows rows of the output.
OpCase layer(const char* name, std::int64_t N, std::int64_t I, std::int64_t O, Activation a,
             bool bias, std::int64_t residual_rows = 0) {
    const std::int64_t M = residual_rows;
    std::vector<Input> inputs{{{N, I}}, {{O, I}}};
    if (bias) inputs.push_back({{O}});
    if (M > 0) inputs.push_back({{M, O}});
    return {name, inputs,
            [=](Graph&, const T& t) {
                const Tensor b = bias ? t[2] : Tensor();
                return M > 0 ? linear_with_residual(t[0], t[1], b, t.back(), a)
                             : linear(t[0], t[1], b, a);
            },
            [=](const In& in) {
                Values y;
                for (std::int64_t n = 0; n < N; ++n) {
                    for (std::int64_t o = 0; o < O; ++o) {
                        double s = bias ? in[2][u(o)] : 0.0;
                        if (M > 0) s += in.back()[u(n * M / N * O + o)];
                        for (std::int64_t i = 0; i < I; ++i)
                            s += in[0][u(n * I + i)] * in[1][u(o * I + i)];
                        y.push_back(activated(s, a));
                    }
                }
                return y;
            }};
}

}  // namespace

std::vector<OpCase> product_cases() {
    std::vector<OpCase> cases{
        product("matmul", false, false),
        product("matmul, left transposed", true, false),
        product("matmul, right transposed", false, true),
        product("matmul, both transposed", true, true),
        layer("linear without bias", 5, 3, 4, Activation::none, false),
        layer("linear", 17, 5, 6, Activation::none, true),
        layer("linear with relu", 33, 11, 7, Activation::relu, true),
        layer("linear with tanh", 6, 17, 3, Activation::tanh, true),
        layer("linear with gelu", 9, 14, 13, Activation::gelu, true),
        layer("linear with gelu and one output", 7, 5, 1, Activation::gelu, false),
        layer("linear with gelu and a residual", 12, 3, 20, Activation::gelu, true, 4),
        layer("linear with a residual", 10, 3, 40, Activation::relu, true, 5),
        layer("linear with a residual and no bias", 18, 14, 5, Activation::tanh, false, 9),
        layer("linear with one output", 16, 23, 1, Activation::none, true),
    };
    cases.push_back({"two layers",
                     {{{9, 4}}, {{8, 4}}, {{8}}, {{2, 8}}, {{2}}},
                     [](Graph&, const T& t) {
                         return linear(linear(t[0], t[1], t[2], Activation::relu), t[3], t[4],
                                       Activation::tanh);
                     },
                     [](const In& in) {
                         Values y;
                         for (int n = 0; n < 9; ++n) {
                             double h[8];
                             for (int k = 0; k < 8; ++k) {
                                 h[k] = in[2][u(k)];
                                 for (int i = 0; i < 4; ++i)
                                     h[k] += in[0][u(n * 4 + i)] * in[1][u(k * 4 + i)];
                                 h[k] = std::max(h[k], 0.0);
                             }
                             for (int o = 0; o < 2; ++o) {
                                 double s = in[4][u(o)];
                                 for (int k = 0; k < 8; ++k) s += h[k] * in[3][u(o * 8 + k)];
                                 y.push_back(std::tanh(s));
                             }
                         }
                         return y;
                     }});
    cases.push_back({"tanh below a linear layer",
                     {{{6, 3}}, {{4, 3}}, {{2, 4}}},
                     [](Graph&, const T& t) {
                         return linear(linear(t[0], t[1], {}, Activation::tanh), t[2], {});
                     },
                     [](const In& in) {
                         Values y;
                         for (int n = 0; n < 6; ++n) {
                             double h[4];
                             for (int k = 0; k < 4; ++k) {
                                 h[k] = 0;
                                 for (int i = 0; i < 3; ++i)
                                     h[k] += in[0][u(n * 3 + i)] * in[1][u(k * 3 + i)];
                             }
                             for (int o = 0; o < 2; ++o) {
                                 double s = 0;
                                 for (int k = 0; k < 4; ++k)
                                     s += std::tanh(h[k]) * in[2][u(o * 4 + k)];
                                 y.push_back(s);
                             }
                         }
                         return y;
                     }});
    cases.push_back({"linear of one broadcast row",
                     {{{5}}, {{4, 5}}},
                     [](Graph&, const T& t) {
                         return linear(broadcast_to(t[0], {1, 5}), t[1], {});
                     },
                     [](const In& in) {
                         Values y;
                         for (int o = 0; o < 4; ++o) {
                             double s = 0;
                             for (int i = 0; i < 5; ++i) s += in[0][u(i)] * in[1][u(o * 5 + i)];
                             y.push_back(s);
                         }
                         return y;
                     }});
    cases.push_back({"linear of a slice",
                     {{{6, 9}}, {{4, 5}}, {{4}}},
                     [](Graph&, const T& t) { return linear(slice(t[0], 1, 2, 7), t[1], t[2]); },
                     [](const In& in) {
                         Values y;
                         for (int n = 0; n < 6; ++n) {
                             for (int o = 0; o < 4; ++o) {
                                 double s = in[2][u(o)];
                                 for (int i = 0; i < 5; ++i)
                                     s += in[0][u(n * 9 + 2 + i)] * in[1][u(o * 5 + i)];
                                 y.push_back(s);
                             }
                         }
                         return y;
                     }});
    return cases;
}

}  // namespace drydock::test
