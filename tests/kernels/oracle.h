// What every contract of kernels/api means, as plain loops in double over arguments of element type
// T. Results are row-major and contiguous, whatever the leading dimension of the kernel's output.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/table.h"

namespace drydock::oracle {

using namespace drydock::kernels;
using Index = std::int64_t;
using Values = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
double at(const void* data, Index i) {
    return static_cast<double>(static_cast<const T*>(data)[i]);
}

inline double normal_below(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

inline double gelu_derivative(double x) {
    return normal_below(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
}

inline double activate(Activation a, double v) {
    if (a == Activation::tanh) return std::tanh(v);
    if (a == Activation::gelu) return v * normal_below(v);
    return a == Activation::relu && v < 0 ? 0 : v;
}

inline double derivative(Activation a, double y) {
    if (a == Activation::tanh) return 1 - y * y;
    if (a == Activation::gelu) return y;
    return a == Activation::relu && !(y > 0) ? 0 : 1;
}

template <class T>
Values linear_forward(const LinearForward& a) {
    Values y;
    for (Index n = 0; n < a.N; ++n) {
        for (Index o = 0; o < a.O; ++o) {
            double sum = a.bias == nullptr ? 0 : at<T>(a.bias, o);
            for (Index i = 0; i < a.I; ++i)
                sum += at<T>(a.x, n * a.ldx + i) * at<T>(a.w, o * a.I + i);
            if (a.residual != nullptr) sum += at<T>(a.residual, n / a.repeat * a.O + o);
            y.push_back(activate(a.activation, sum));
        }
    }
    return y;
}

// What gelu's layers store beside their output: with the identity as activation, y is x there.
template <class T>
Values linear_slope(LinearForward a) {
    a.activation = Activation::none;
    Values slope = linear_forward<T>(a);
    for (double& x : slope) x = gelu_derivative(x);
    return slope;
}

template <class T>
Values linear_input_gradient(const LinearInputGradient& a) {
    Values dx;
    for (Index n = 0; n < a.N; ++n) {
        for (Index i = 0; i < a.I; ++i) {
            double sum = 0;
            for (Index o = 0; o < a.O; ++o)
                sum += at<T>(a.dy, n * a.lddy + o) * at<T>(a.w, o * a.I + i);
            const double below = a.y_below == nullptr ? 0 : at<T>(a.y_below, n * a.I + i);
            dx.push_back(sum * derivative(a.activation_below, below));
        }
    }
    return dx;
}

template <class T>
Values linear_weight_gradient(const LinearWeightGradient& a) {
    Values dw(static_cast<std::size_t>(a.O * a.I));
    for (Index n = 0; n < a.N; ++n) {
        for (Index k = 0; k < a.O * a.I; ++k) {
            dw[k] += at<T>(a.dy, n * a.lddy + k / a.I) * at<T>(a.x, n * a.ldx + k % a.I);
        }
    }
    return dw;
}

template <class T>
Values linear_bias_gradient(const LinearWeightGradient& a) {
    Values db(static_cast<std::size_t>(a.O));
    for (Index n = 0; n < a.N; ++n) {
        for (Index o = 0; o < a.O; ++o) db[o] += at<T>(a.dy, n * a.lddy + o);
    }
    return db;
}

template <class T>
Values matmul(const Matmul& m) {
    Values c(static_cast<std::size_t>(m.M * m.N));
    for (Index i = 0; i < m.M * m.N; ++i) {
        for (Index k = 0; k < m.K; ++k) {
            const Index row = i / m.N, column = i % m.N;
            c[i] += at<T>(m.a, m.transpose_a ? k * m.lda + row : row * m.lda + k) *
                    at<T>(m.b, m.transpose_b ? column * m.ldb + k : k * m.ldb + column);
        }
    }
    return c;
}

inline double unary(Unary op, double x, double p, double q) {
    if (std::isnan(x) && op != Unary::positive && op != Unary::inside) return x;
    switch (op) {
        case Unary::copy:
            return x;
        case Unary::negate:
            return -x;
        case Unary::exp:
            return std::exp(x);
        case Unary::log:
            return std::log(x);
        case Unary::sqrt:
            return std::sqrt(x);
        case Unary::square:
            return x * x;
        case Unary::absolute:
            return std::fabs(x);
        case Unary::relu:
            return std::max(x, 0.0);
        case Unary::tanh:
            return std::tanh(x);
        case Unary::sigmoid:
            return 1 / (1 + std::exp(-x));
        case Unary::softplus:
            return x > 30 ? x : std::log1p(std::exp(x));
        case Unary::gelu:
            return x * normal_below(x);
        case Unary::add_scalar:
            return x + p;
        case Unary::mul_scalar:
            return x * p;
        case Unary::rsub_scalar:
            return p - x;
        case Unary::rdiv_scalar:
            return p / x;
        case Unary::min_scalar:
            return std::min(x, p);
        case Unary::max_scalar:
            return std::max(x, p);
        case Unary::clamp:
            return std::min(std::max(x, p), q);
        case Unary::positive:
            return x > 0;
        case Unary::inside:
            return p <= x && x <= q;
    }
    return kNan;
}

inline double binary(Binary op, double a, double b) {
    const bool nan = std::isnan(a) || std::isnan(b);
    switch (op) {
        case Binary::add:
            return a + b;
        case Binary::sub:
            return a - b;
        case Binary::mul:
            return a * b;
        case Binary::div:
            return a / b;
        case Binary::minimum:
            return nan ? kNan : std::min(a, b);
        case Binary::maximum:
            return nan ? kNan : std::max(a, b);
        case Binary::less:
            return a < b;
        case Binary::less_equal:
            return a <= b;
        case Binary::equal:
            return a == b;
        case Binary::relu_gradient:
            return b > 0 ? a : 0;
        case Binary::tanh_gradient:
            return a * (1 - b * b);
        case Binary::gelu_gradient:
            return a * gelu_derivative(b);
    }
    return kNan;
}

// The places of an operand's elements in the order of the flattened map.
inline std::vector<Index> places(const MapShape& s, const Index* strides) {
    std::vector<Index> all = {0};
    for (int d = 0; d < kMaxRank; ++d) {
        std::vector<Index> next;
        for (Index base : all) {
            for (Index i = 0; i < s.dims[d]; ++i) next.push_back(base + i * strides[d]);
        }
        all = next;
    }
    return all;
}

inline double fold(Reduction op, const Values& x) {
    if (std::any_of(x.begin(), x.end(), [](double v) { return std::isnan(v); })) return kNan;
    const double max = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double v : x) sum += op != Reduction::logsumexp ? v : v == max ? 1 : std::exp(v - max);
    switch (op) {
        case Reduction::sum:
            return sum;
        case Reduction::mean:
            return sum / static_cast<double>(x.size());
        case Reduction::max:
            return max;
        case Reduction::min:
            return *std::min_element(x.begin(), x.end());
        case Reduction::logsumexp:
            return max + std::log(sum);
    }
    return kNan;
}

template <class T>
Values reduce(const Reduce& r) {
    Values y;
    for (Index i = 0; i < r.outer * r.inner; ++i) {
        Values x;
        for (Index l = 0; l < r.length; ++l) {
            x.push_back(at<T>(r.x, (i / r.inner * r.length + l) * r.inner + i % r.inner));
        }
        y.push_back(fold(r.op, x));
    }
    return y;
}

template <class T>
Values gather_rows(const GatherRows& g) {
    Values out;
    for (Index k = 0; k < g.n * g.width; ++k) {
        const Index i = g.indices[k / g.width];
        const bool exists = i >= 0 && i < g.rows;
        const double missing = std::is_floating_point_v<T> ? kNan : 0;
        out.push_back(exists ? at<T>(g.table, i * g.ld_table + k % g.width) : missing);
    }
    return out;
}

template <class T>
Values scatter_add_rows(const ScatterAddRows& s) {
    Values table(static_cast<std::size_t>(s.rows * s.width));
    for (Index k = 0; k < s.n * s.width; ++k) {
        const Index row = s.indices[k / s.width];
        if (row >= 0 && row < s.rows) table[row * s.width + k % s.width] += at<T>(s.d, k);
    }
    return table;
}

// The loss and then its gradient.
template <class T>
Values expectile_loss(const ExpectileLoss& l) {
    Values out = {0};
    for (Index i = 0; i < l.N; ++i) {
        const double u = at<T>(l.u, i), weight = std::fabs(l.expectile - (u < 0 ? 1 : 0));
        out[0] += weight * u * u / static_cast<double>(l.N);
        out.push_back(2 * weight * u / static_cast<double>(l.N));
    }
    return out;
}

template <class T>
Values mse_loss(const MseLoss& l) {
    Values out = {0};
    for (Index i = 0; i < l.N; ++i) {
        const double error = at<T>(l.a, i) - at<T>(l.b, i);
        out[0] += error * error / static_cast<double>(l.N);
        out.push_back(2 * error / static_cast<double>(l.N));
    }
    return out;
}

template <class T>
Values gaussian_log_prob(const GaussianLogProb& g) {
    Values out(static_cast<std::size_t>(g.N));
    for (Index k = 0; k < g.N * g.A; ++k) {
        const double log_std = at<T>(g.log_std, k % g.A);
        const double z = (at<T>(g.x, k) - at<T>(g.mean, k)) / std::exp(log_std);
        out[k / g.A] += -z * z / 2 - log_std - std::log(2 * M_PI) / 2;
    }
    return out;
}

// dmean and then dlog_std.
template <class T>
Values gaussian_log_prob_gradient(const GaussianLogProbGradient& g) {
    Values out(static_cast<std::size_t>(g.N * g.A + g.A));
    for (Index k = 0; k < g.N * g.A; ++k) {
        const double s = std::exp(at<T>(g.log_std, k % g.A)), d = at<T>(g.x, k) - at<T>(g.mean, k);
        out[k] = at<T>(g.g, k / g.A) * d / (s * s);
        out[g.N * g.A + k % g.A] += at<T>(g.g, k / g.A) * (d * d / (s * s) - 1);
    }
    return out;
}

// New parameters, first and second moments and targets, one after another.
template <class T>
Values adam_step(const AdamStep& a) {
    const OptimizerHyper& h = *a.hyper;
    Values out(static_cast<std::size_t>(4 * a.n));
    for (Index i = 0; i < a.n; ++i) {
        const double g = at<T>(a.gradient, i);
        const double m = h.beta1 * at<T>(a.first_moment, i) + (1 - h.beta1) * g;
        const double v = h.beta2 * at<T>(a.second_moment, i) + (1 - h.beta2) * g * g;
        const double w = at<T>(a.parameters, i) * (1 - h.rate * h.weight_decay) -
                         h.step_size * m / (std::sqrt(v) * h.inv_sqrt_bias2 + h.epsilon);
        const double target = a.target == nullptr ? 0 : at<T>(a.target, i);
        const double results[] = {w, m, v, (1 - a.polyak) * target + a.polyak * w};
        for (Index k = 0; k < 4; ++k) out[k * a.n + i] = results[k];
    }
    return out;
}

template <class T>
Values polyak(const Polyak& p) {
    Values out;
    for (Index i = 0; i < p.n; ++i) {
        out.push_back((1 - p.polyak) * at<T>(p.target, i) + p.polyak * at<T>(p.source, i));
    }
    return out;
}

template <class T>
Values squared_norm(const SquaredNorm& s) {
    Values out(static_cast<std::size_t>(norm_blocks(s.n)));
    for (Index i = 0; i < s.n; ++i) {
        out[i / kNormBlock] += at<T>(s.gradient, i) * at<T>(s.gradient, i);
    }
    return out;
}

template <class T>
Values clip_by_norm(const ClipByNorm& c) {
    double sum = 0;
    for (Index i = 0; i < norm_blocks(c.n); ++i) sum += at<T>(c.partials, i);
    Values out;
    for (Index i = 0; i < c.n; ++i) {
        out.push_back(at<T>(c.gradient, i) * std::min(1.0, c.max_norm / (std::sqrt(sum) + 1e-6)));
    }
    return out;
}

template <class T>
Values layer_norm(const LayerNorm& a) {
    Values y;
    for (Index n = 0; n < a.N; ++n) {
        double mean = 0, variance = 0;
        for (Index i = 0; i < a.D; ++i) mean += at<T>(a.x, n * a.D + i) / static_cast<double>(a.D);
        for (Index i = 0; i < a.D; ++i) {
            const double d = at<T>(a.x, n * a.D + i) - mean;
            variance += d * d / static_cast<double>(a.D);
        }
        for (Index i = 0; i < a.D; ++i) {
            const double h = (at<T>(a.x, n * a.D + i) - mean) / std::sqrt(variance + a.epsilon);
            y.push_back(h * at<T>(a.weight, i) + at<T>(a.bias, i));
        }
    }
    return y;
}

// Of one query: its weights before dropout over all T tokens, and behind them the logarithm of
// their denominator.
template <class T>
Values attention_weights(const CausalAttention& a, Index b, Index h, Index i) {
    Values p(static_cast<std::size_t>(a.T), 0.0);
    double sum = 0;
    for (Index j = 0; j <= a.query_first + i * a.query_stride; ++j) {
        if (at<T>(a.mask, b * a.T + j) == 0) continue;
        double score = 0;
        for (Index d = 0; d < a.D; ++d) {
            score += at<T>(a.q, ((b * a.Q + i) * a.H + h) * a.D + d) *
                     at<T>(a.kv, ((b * a.T + j) * 2 * a.H + h) * a.D + d);
        }
        p[static_cast<std::size_t>(j)] = std::exp(score / std::sqrt(static_cast<double>(a.D)));
        sum += p[static_cast<std::size_t>(j)];
    }
    for (double& x : p) x = sum > 0 ? x / sum : 0;
    p.push_back(std::log(sum));
    return p;
}

template <class T>
Values attention_log_sum(const CausalAttention& a) {
    Values out;
    for (Index k = 0; k < a.B * a.H * a.Q; ++k) {
        out.push_back(attention_weights<T>(a, k / a.Q / a.H, k / a.Q % a.H, k % a.Q).back());
    }
    return out;
}

template <class T>
double attention_kept(const CausalAttention& a, Index b, Index h, Index i, Index j) {
    if (!a.draws) return 1;
    return at<T>(a.draws, ((b * a.H + h) * a.Q + i) * a.T + j) < a.rate ? 0 : 1 / (1 - a.rate);
}

template <class T>
Values causal_attention(const CausalAttention& a) {
    Values out(static_cast<std::size_t>(a.B * a.Q * a.H * a.D), 0.0);
    for (Index b = 0; b < a.B; ++b) {
        for (Index h = 0; h < a.H; ++h) {
            for (Index i = 0; i < a.Q; ++i) {
                const Values p = attention_weights<T>(a, b, h, i);
                for (Index j = 0; j < a.T; ++j) {
                    const double w =
                        p[static_cast<std::size_t>(j)] * attention_kept<T>(a, b, h, i, j);
                    for (Index d = 0; d < a.D; ++d) {
                        out[static_cast<std::size_t>(((b * a.Q + i) * a.H + h) * a.D + d)] +=
                            w * at<T>(a.kv, ((b * a.T + j) * 2 * a.H + a.H + h) * a.D + d);
                    }
                }
            }
        }
    }
    return out;
}

}  // namespace drydock::oracle
