#include "tests/core/op_cases.h"

#include <numbers>

namespace drydock::test {
namespace {

using In = std::vector<Values>;
using T = std::vector<Tensor>;

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

OpCase unary(const char* name, Tensor (*op)(Tensor), double (*f)(double), double low = -2.0,
             double high = 2.0, bool differentiable = true) {
    return {name,
            {{{3, 5}, low, high}},
            [op](Graph&, const T& t) { return op(t[0]); },
            [f](const In& in) {
                Values y;
                for (double x : in[0]) y.push_back(f(x));
                return y;
            },
            differentiable};
}

OpCase scalar(const char* name, const std::function<Tensor(Tensor)>& op,
              const std::function<double(double)>& f, double low = -2.0, double high = 2.0) {
    return {name,
            {{{4, 3}, low, high}},
            [op](Graph&, const T& t) { return op(t[0]); },
            [f](const In& in) {
                Values y;
                for (double x : in[0]) y.push_back(f(x));
                return y;
            }};
}

// The element of an operand of shape (r, c), either of which may be 1, at (i, j).
double at(const Values& v, std::int64_t r, std::int64_t c, std::int64_t i, std::int64_t j) {
    return v[u((r == 1 ? 0 : i) * c + (c == 1 ? 0 : j))];
}

OpCase binary(const char* name, const std::function<Tensor(Tensor, Tensor)>& op,
              const std::function<double(double, double)>& f, Shape a, Shape b, double low = -2.0,
              double high = 2.0, bool differentiable = true) {
    const std::int64_t rows = std::max(a[0], b[0]), columns = std::max(a[1], b[1]);
    return {name,
            {{a, -2.0, 2.0}, {b, low, high}},
            [op](Graph&, const T& t) { return op(t[0], t[1]); },
            [=](const In& in) {
                Values y;
                for (std::int64_t i = 0; i < rows; ++i) {
                    for (std::int64_t j = 0; j < columns; ++j) {
                        y.push_back(f(at(in[0], a[0], a[1], i, j), at(in[1], b[0], b[1], i, j)));
                    }
                }
                return y;
            },
            differentiable};
}

// A reduction of (2, 5, 3) over its middle axis.
OpCase reduction(const char* name, Tensor (*op)(Tensor, int), double (*f)(const Values&)) {
    return {name,
            {{{2, 5, 3}}},
            [op](Graph&, const T& t) { return op(t[0], 1); },
            [f](const In& in) {
                Values y;
                for (std::int64_t o = 0; o < 2; ++o) {
                    for (std::int64_t i = 0; i < 3; ++i) {
                        Values column;
                        for (std::int64_t k = 0; k < 5; ++k)
                            column.push_back(in[0][u((o * 5 + k) * 3 + i)]);
                        y.push_back(f(column));
                    }
                }
                return y;
            }};
}

double sum_of(const Values& v) {
    double s = 0;
    for (double x : v) s += x;
    return s;
}

std::vector<OpCase> elementwise_cases() {
    return {
        unary("exp", exp, std::exp),
        unary("log", log, std::log, 0.2, 3.0),
        unary("sqrt", sqrt, std::sqrt, 0.2, 3.0),
        unary("square", square, [](double x) { return x * x; }),
        unary("abs", abs, std::fabs, 0.1, 2.0),
        unary("abs of negatives", abs, std::fabs, -2.0, -0.1),
        unary(
            "relu above", relu, [](double x) { return x; }, 0.1, 2.0),
        unary(
            "relu below", relu, [](double) { return 0.0; }, -2.0, -0.1),
        unary("tanh", tanh, std::tanh),
        unary("sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }),
        unary("softplus", softplus, [](double x) { return std::log1p(std::exp(x)); }),
        unary(
            "negate", [](Tensor x) { return -x; }, [](double x) { return -x; }),
        unary(
            "positive", positive, [](double x) { return x > 0 ? 1.0 : 0.0; }, -2, 2, false),
        scalar(
            "add scalar", [](Tensor x) { return x + 1.5; }, [](double x) { return x + 1.5; }),
        scalar(
            "scalar minus", [](Tensor x) { return 1.5 - x; }, [](double x) { return 1.5 - x; }),
        scalar(
            "times scalar", [](Tensor x) { return -3.0 * x; }, [](double x) { return -3 * x; }),
        scalar(
            "scalar over", [](Tensor x) { return 2.0 / x; }, [](double x) { return 2 / x; }, 0.3,
            2),
        scalar(
            "over scalar", [](Tensor x) { return x / 4.0; }, [](double x) { return x / 4; }),
        scalar(
            "minimum scalar", [](Tensor x) { return minimum(x, 0.5); },
            [](double x) { return std::min(x, 0.5); }),
        scalar(
            "maximum scalar", [](Tensor x) { return maximum(x, 0.5); },
            [](double x) { return std::max(x, 0.5); }),
        scalar(
            "clamp", [](Tensor x) { return clamp(x, -0.7, 0.9); },
            [](double x) { return std::min(std::max(x, -0.7), 0.9); }),
        binary("add", [](Tensor a, Tensor b) { return a + b; }, std::plus<>(), {3, 4}, {3, 4}),
        binary("add row", [](Tensor a, Tensor b) { return a + b; }, std::plus<>(), {3, 4}, {1, 4}),
        binary("add column", [](Tensor a, Tensor b) { return a + b; }, std::plus<>(), {3, 1},
               {3, 4}),
        binary("outer sum", [](Tensor a, Tensor b) { return a + b; }, std::plus<>(), {3, 1},
               {1, 4}),
        binary("subtract", [](Tensor a, Tensor b) { return a - b; }, std::minus<>(), {3, 4},
               {3, 1}),
        binary("multiply", [](Tensor a, Tensor b) { return a * b; }, std::multiplies<>(), {1, 4},
               {3, 4}),
        binary(
            "divide", [](Tensor a, Tensor b) { return a / b; }, std::divides<>(), {3, 4}, {1, 4},
            0.5, 2),
        binary(
            "minimum", [](Tensor a, Tensor b) { return minimum(a, b); },
            [](double a, double b) { return std::min(a, b); }, {3, 4}, {3, 4}),
        binary(
            "maximum", [](Tensor a, Tensor b) { return maximum(a, b); },
            [](double a, double b) { return std::max(a, b); }, {3, 4}, {1, 4}),
        binary(
            "less", [](Tensor a, Tensor b) { return less(a, b); },
            [](double a, double b) { return a < b ? 1.0 : 0.0; }, {3, 4}, {3, 1}, -2, 2, false),
        binary(
            "less_equal", [](Tensor a, Tensor b) { return less_equal(a, b); },
            [](double a, double b) { return a <= b ? 1.0 : 0.0; }, {3, 4}, {3, 1}, -2, 2, false),
        binary(
            "where", [](Tensor a, Tensor b) { return where(positive(detach(a)), a * b, b); },
            [](double a, double b) { return a > 0 ? a * b : b; }, {3, 4}, {1, 4}),
        binary(
            "a value used three times", [](Tensor a, Tensor b) { return a * a + a * b - a; },
            [](double a, double b) { return a * a + a * b - a; }, {3, 4}, {3, 4}),
    };
}

std::vector<OpCase> shape_cases() {
    return {
        {"slice of columns",
         {{{3, 6}}},
         [](Graph&, const T& t) { return slice(t[0], 1, 2, 5); },
         [](const In& in) {
             Values y;
             for (int i = 0; i < 3; ++i) {
                 for (int j = 2; j < 5; ++j) y.push_back(in[0][u(i * 6 + j)]);
             }
             return y;
         }},
        {"slice of rows, reshaped",
         {{{4, 3}}},
         [](Graph&, const T& t) { return reshape(slice(t[0], 0, 1, 3), {6}); },
         [](const In& in) { return Values(in[0].begin() + 3, in[0].begin() + 9); }},
        {"reshape of columns copies",
         {{{3, 4}}},
         [](Graph&, const T& t) { return square(reshape(slice(t[0], 1, 1, 3), {6})); },
         [](const In& in) {
             Values y;
             for (int i = 0; i < 3; ++i) {
                 for (int j = 1; j < 3; ++j) y.push_back(in[0][u(i * 4 + j)] * in[0][u(i * 4 + j)]);
             }
             return y;
         }},
        {"concat along columns",
         {{{3, 2}}, {{3, 1}}, {{3, 3}}},
         [](Graph&, const T& t) {
             return concat({t[0], t[1], t[2]}, 1);
         },
         [](const In& in) {
             Values y;
             for (int i = 0; i < 3; ++i) {
                 for (int j = 0; j < 2; ++j) y.push_back(in[0][u(i * 2 + j)]);
                 y.push_back(in[1][u(i)]);
                 for (int j = 0; j < 3; ++j) y.push_back(in[2][u(i * 3 + j)]);
             }
             return y;
         }},
        {"concat along rows",
         {{{1, 3}}, {{2, 3}}},
         [](Graph&, const T& t) {
             return concat({t[0], t[1]}, 0);
         },
         [](const In& in) {
             Values y = in[0];
             y.insert(y.end(), in[1].begin(), in[1].end());
             return y;
         }},
        {"pad",
         {{{2, 2}}},
         [](Graph&, const T& t) { return pad(t[0], 1, 1, 4); },
         [](const In& in) { return Values{0, in[0][0], in[0][1], 0, 0, in[0][2], in[0][3], 0}; }},
        {"broadcast with new leading dimension",
         {{{1, 3}}},
         [](Graph&, const T& t) {
             return square(broadcast_to(t[0], {2, 4, 3}));
         },
         [](const In& in) {
             Values y;
             for (int i = 0; i < 8; ++i) {
                 for (double x : in[0]) y.push_back(x * x);
             }
             return y;
         }},
        {"sum_to of four dimensions",
         {{{2, 3, 2, 4}}},
         [](Graph&, const T& t) {
             return sum_to(t[0], {3, 1, 4});
         },
         [](const In& in) {
             Values y(12, 0.0);
             for (int a = 0; a < 2; ++a) {
                 for (int b = 0; b < 3; ++b) {
                     for (int c = 0; c < 2; ++c) {
                         for (int d = 0; d < 4; ++d)
                             y[u(b * 4 + d)] += in[0][u(((a * 3 + b) * 2 + c) * 4 + d)];
                     }
                 }
             }
             return y;
         }},
        {"scalars",
         {{{}}, {{}}},
         [](Graph&, const T& t) { return tanh(t[0] * t[1]) + t[0]; },
         [](const In& in) { return Values{std::tanh(in[0][0] * in[1][0]) + in[0][0]}; }},
        {"gather rows, one twice and one never",
         {{{4, 3}}},
         [](Graph& g, const T& t) {
             const BufferId id = g.state().add_buffer("indices", DType::i64, {4});
             const std::int64_t rows[] = {2, 0, 2, 3};
             std::copy(rows, rows + 4, static_cast<std::int64_t*>(g.state().buffer(id).data));
             return gather_rows(t[0], g.buffer(id));
         },
         [](const In& in) {
             Values y;
             for (int r : {2, 0, 2, 3}) {
                 for (int j = 0; j < 3; ++j) y.push_back(in[0][u(r * 3 + j)]);
             }
             return y;
         }},
        {"detach stops one of two paths",
         {{{5}}},
         [](Graph&, const T& t) { return t[0] * 2.0 + 0.0 * detach(t[0]); },
         [](const In& in) {
             Values y;
             for (double x : in[0]) y.push_back(2 * x);
             return y;
         }},
    };
}

std::vector<OpCase> reduction_cases() {
    return {
        reduction("sum", sum, sum_of),
        reduction("mean", mean,
                  [](const Values& v) { return sum_of(v) / static_cast<double>(v.size()); }),
        reduction("max", max,
                  [](const Values& v) { return *std::max_element(v.begin(), v.end()); }),
        reduction("min", min,
                  [](const Values& v) { return *std::min_element(v.begin(), v.end()); }),
        reduction("logsumexp", logsumexp,
                  [](const Values& v) {
                      double s = 0;
                      for (double x : v) s += std::exp(x);
                      return std::log(s);
                  }),
        {"sum of all",
         {{{7, 11}}},
         [](Graph&, const T& t) { return sum(t[0]); },
         [](const In& in) { return Values{sum_of(in[0])}; }},
        {"mean of a slice",
         {{{7, 4}}},
         [](Graph&, const T& t) { return mean(slice(t[0], 1, 1, 3)); },
         [](const In& in) {
             double s = 0;
             for (int i = 0; i < 7; ++i) s += in[0][u(i * 4 + 1)] + in[0][u(i * 4 + 2)];
             return Values{s / 14};
         }},
    };
}

std::vector<OpCase> loss_cases() {
    const auto gaussian = [](const In& in) {
        Values y;
        for (int n = 0; n < 5; ++n) {
            double s = 0;
            for (int a = 0; a < 3; ++a) {
                const double z =
                    (in[2][u(n * 3 + a)] - in[0][u(n * 3 + a)]) / std::exp(in[1][u(a)]);
                s += -0.5 * z * z - in[1][u(a)] - 0.5 * std::log(2 * std::numbers::pi);
            }
            y.push_back(s);
        }
        return y;
    };
    return {
        {"mse",
         {{{9}}, {{9}}},
         [](Graph&, const T& t) { return mse(t[0], t[1]); },
         [](const In& in) {
             double s = 0;
             for (std::size_t i = 0; i < 9; ++i) s += (in[0][i] - in[1][i]) * (in[0][i] - in[1][i]);
             return Values{s / 9};
         }},
        {"expectile loss",
         {{{33}}},
         [](Graph&, const T& t) { return expectile_loss(t[0], 0.8); },
         [](const In& in) {
             double s = 0;
             for (double x : in[0]) s += (x < 0 ? 0.2 : 0.8) * x * x;
             return Values{s / 33};
         }},
        {"expectile loss, scaled",
         {{{6}}},
         [](Graph&, const T& t) { return 3.0 * expectile_loss(2.0 * t[0], 0.3); },
         [](const In& in) {
             double s = 0;
             for (double x : in[0]) s += (x < 0 ? 0.7 : 0.3) * 4 * x * x;
             return Values{3 * s / 6};
         }},
        {"gaussian log-density",
         {{{5, 3}}, {{3}, -1.0, 0.5}, {{5, 3}}},
         [](Graph&, const T& t) { return gaussian_log_prob(t[0], t[1], t[2]); },
         gaussian},
    };
}

// -log softmax(logits)[choice] of the rows of (4, 3).
Values cross_entropies(const In& in) {
    constexpr int kChoices[] = {2, 0, 1, 2};
    Values y;
    for (int n = 0; n < 4; ++n) {
        double sum = 0;
        for (int k = 0; k < 3; ++k) sum += std::exp(in[0][u(n * 3 + k)]);
        y.push_back(std::log(sum) - in[0][u(n * 3 + kChoices[n])]);
    }
    return y;
}

// 2, 0, 1, 2, made of what a graph has.
Tensor four_choices(Graph& g) {
    return concat({fill(g, {1}, 2.0), arange(g, 2), fill(g, {1}, 2.0)}, 0);
}

double huber_of(double x, double threshold) {
    const double size = std::fabs(x);
    return size <= threshold ? 0.5 * x * x : threshold * (size - 0.5 * threshold);
}

Values quantile_losses(const In& in) {
    constexpr int N = 3, M = 4, L = 5;
    double sum = 0;
    for (int n = 0; n < N; ++n) {
        for (int l = 0; l < L; ++l) {
            for (int m = 0; m < M; ++m) {
                const double error = in[1][u(n * L + l)] - in[0][u(n * M + m)];
                const double tau = (m + 0.5) / M;
                sum += std::fabs(tau - (error < 0 ? 1 : 0)) * huber_of(error, 0.7) / 0.7;
            }
        }
    }
    return {sum / (N * L)};
}

std::vector<OpCase> distribution_cases() {
    std::vector<OpCase> cases{
        scalar(
            "log of tanh's derivative", [](Tensor x) { return log_tanh_derivative(x); },
            [](double x) { return std::log(4.0) - 2 * x - 2 * std::log1p(std::exp(-2 * x)); }, -9.0,
            9.0),
        scalar(
            "atanh", [](Tensor x) { return atanh(x, 1e-6); },
            [](double x) { return std::atanh(x); }, -0.95, 0.95),
        scalar(
            "huber", [](Tensor x) { return huber(x, 0.7); },
            [](double x) { return huber_of(x, 0.7); }),
    };
    cases.push_back({"cross entropy",
                     {{{4, 3}}},
                     [](Graph& g, const T& t) { return cross_entropy(t[0], four_choices(g)); },
                     cross_entropies});
    cases.push_back({"pick, of rows",
                     {{{4, 3, 2}}},
                     [](Graph& g, const T& t) { return pick(t[0], four_choices(g)); },
                     [](const In& in) {
                         constexpr int kChoices[] = {2, 0, 1, 2};
                         Values y;
                         for (int n = 0; n < 4; ++n) {
                             for (int i = 0; i < 2; ++i)
                                 y.push_back(in[0][u((n * 3 + kChoices[n]) * 2 + i)]);
                         }
                         return y;
                     }});
    cases.push_back({"quantile huber loss",
                     {{{3, 4}}, {{3, 5}}},
                     [](Graph&, const T& t) { return quantile_huber_loss(t[0], t[1], 0.7); },
                     quantile_losses});
    cases.push_back({"argmax, first of equals",
                     {{{5, 4}}},
                     [](Graph&, const T& t) { return argmax(minimum(t[0], 0.5)); },
                     [](const In& in) {
                         Values y;
                         for (int n = 0; n < 5; ++n) {
                             int best = 0;
                             for (int k = 1; k < 4; ++k) {
                                 const double x = std::min(in[0][u(n * 4 + k)], 0.5);
                                 if (x > std::min(in[0][u(n * 4 + best)], 0.5)) best = k;
                             }
                             y.push_back(best);
                         }
                         return y;
                     },
                     false});
    return cases;
}

}  // namespace

const std::vector<OpCase>& op_cases() {
    static const std::vector<OpCase> cases = [] {
        std::vector<OpCase> all;
        for (const auto& family :
             {elementwise_cases(), shape_cases(), reduction_cases(), loss_cases(),
              distribution_cases(), product_cases(), sequence_cases()}) {
            all.insert(all.end(), family.begin(), family.end());
        }
        return all;
    }();
    return cases;
}

}  // namespace drydock::test
