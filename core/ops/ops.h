// Every operation that a program can be written with. Each family's builders, shape rules and
// adjoints stand side by side in one file of this folder. Shapes that do not fit throw Error.
#pragma once

#include <vector>

#include "core/graph.h"
#include "kernels/api/attention.h"
#include "kernels/api/kernel.h"

namespace drydock {

using kernels::Activation;
using kernels::kMaxAttentionTokens;

// --- elementwise.cpp: shapes broadcast by NumPy's rules ---
Tensor operator+(Tensor a, Tensor b);
Tensor operator-(Tensor a, Tensor b);
Tensor operator*(Tensor a, Tensor b);
Tensor operator/(Tensor a, Tensor b);
Tensor operator+(Tensor x, double p);
Tensor operator+(double p, Tensor x);
Tensor operator-(Tensor x, double p);
Tensor operator-(double p, Tensor x);
Tensor operator*(Tensor x, double p);
Tensor operator*(double p, Tensor x);
Tensor operator/(Tensor x, double p);
Tensor operator/(double p, Tensor x);
Tensor operator-(Tensor x);
Tensor exp(Tensor x);
Tensor log(Tensor x);
Tensor sqrt(Tensor x);
Tensor square(Tensor x);
Tensor abs(Tensor x);  // derivative 0 at 0
Tensor relu(Tensor x);
Tensor tanh(Tensor x);
Tensor sigmoid(Tensor x);
Tensor softplus(Tensor x);
Tensor gelu(Tensor x);               // x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016)
Tensor minimum(Tensor a, Tensor b);  // at a tie each side gets half of the gradient
Tensor maximum(Tensor a, Tensor b);
Tensor minimum(Tensor x, double p);
Tensor maximum(Tensor x, double p);
Tensor clamp(Tensor x, double low, double high);  // derivative 1 on [low, high], 0 outside
// 1 where true and 0 elsewhere; no derivative.
Tensor positive(Tensor x);
Tensor less(Tensor a, Tensor b);
Tensor less_equal(Tensor a, Tensor b);
Tensor equal(Tensor a, Tensor b);
// condition != 0 ? a : b
Tensor where(Tensor condition, Tensor a, Tensor b);
// A constant.
Tensor fill(Graph& graph, const Shape& shape, double value);
// The constant 0, 1, ..., n - 1.
Tensor arange(Graph& graph, std::int64_t n);

// --- shape.cpp ---
// The same values, through which no gradient flows.
Tensor detach(Tensor x);
Tensor reshape(Tensor x, const Shape& shape);
// Elements [begin, end) along an axis; a view.
Tensor slice(Tensor x, int axis, std::int64_t begin, std::int64_t end);
// A view that repeats dimensions of 1 and adds leading ones.
Tensor broadcast_to(Tensor x, const Shape& shape);
// Sums the dimensions that broadcasting from `shape` would have repeated.
Tensor sum_to(Tensor x, const Shape& shape);
Tensor concat(const std::vector<Tensor>& parts, int axis);
// Rows of all parts (N, ...) in turn: row i of part p becomes row i P + p of (P N, ...).
Tensor interleave(const std::vector<Tensor>& parts);
// Rows first, first + stride, ... of x (N, D), of which stride must divide N: (N / stride, D).
Tensor every_row(Tensor x, std::int64_t first, std::int64_t stride);
// Zeros with `x` at position `begin` along an axis whose new length is `length`.
Tensor pad(Tensor x, int axis, std::int64_t begin, std::int64_t length);
// x itself where it is contiguous, else a copy that is.
Tensor contiguous(Tensor x);
// Rows of a table (R, ...) by i64 indices (N): (N, ...).
Tensor gather_rows(Tensor table, Tensor indices);
// Row counters.step of a table (steps, ...): its remaining dimensions.
Tensor select_row(Tensor table);

// A contiguous copy.
Tensor copy(Tensor x);
// Writes a value into persistent memory of the same shape and type, `destination` being a buffer, a
// parameter or a view of one. The source may overlap the destination.
void store(Tensor value, Tensor destination);

// --- reduce.cpp: over one axis, which disappears, or over all elements to a scalar ---
Tensor sum(Tensor x, int axis);
Tensor sum(Tensor x);
Tensor mean(Tensor x, int axis);
Tensor mean(Tensor x);
Tensor max(Tensor x, int axis);  // the gradient is shared equally among equal maxima
Tensor min(Tensor x, int axis);
Tensor logsumexp(Tensor x, int axis);

// --- linear.cpp ---
// op(a) op(b) for (M, K) and (K, N), op being the transposition where the flag is set.
Tensor matmul(Tensor a, Tensor b, bool transpose_a = false, bool transpose_b = false);
Tensor activate(Tensor x, Activation activation);
// activation(x w^T + bias) for x (N, I), w (O, I), bias (O) or empty.
Tensor linear(Tensor x, Tensor w, Tensor bias, Activation activation = Activation::none);
// activation(x w^T + bias + residual) for a residual (M, O), each of whose rows serves N / M rows
// of x in succession.
Tensor linear_with_residual(Tensor x, Tensor w, Tensor bias, Tensor residual,
                            Activation activation = Activation::none);

// --- normalization.cpp ---
// Rows of x (N, D) with mean 0 and variance 1, times weight (D), plus bias (D); epsilon is added to
// the variance.
Tensor layer_norm(Tensor x, Tensor weight, Tensor bias, double epsilon);

// --- attention.cpp ---
// How many heads share the width, and where the queries stand: query i at token query_first +
// i query_stride.
struct AttentionHeads {
    std::int64_t count = 1, query_first = 0, query_stride = 1;
};
// For queries q (B Q, W), keys and values kv (B T, 2 W) and a mask (B, T), 0 at padding: (B Q, W).
// A query sees the tokens up to its own that are not padding; one that sees none gives zeros. The
// heads lie side by side in W. With draws, uniforms (B, heads, Q, T), the weights of tokens are
// dropped where a draw is below `rate` and otherwise divided by 1 - rate. No gradient flows to the
// mask and the draws. The composition materialises (B, Q, T, W) and is for tests.
Tensor causal_attention(Tensor q, Tensor kv, Tensor mask, const AttentionHeads& heads,
                        double rate = 0.0, Tensor draws = {});

// --- windows.cpp ---
struct WindowShape {
    std::int64_t length = 1;         // steps
    bool left = false;               // where padding stands
    std::int64_t last_timestep = 0;  // larger ones become this
};
struct Windows {
    Tensor rows, timesteps;  // i64 (B, length)
};
// Windows that begin at data rows `starts` (B) of episodes that end at `offsets` (E + 1); which
// rows and timesteps they have is said at kernels/api/windows.h.
Windows window_rows(Tensor starts, Tensor offsets, const WindowShape& shape);

// --- losses.cpp ---
// mean (a - b)^2
Tensor mse(Tensor a, Tensor b);
// mean |expectile - 1(u < 0)| u^2, u = target - prediction (IQL, eq. 5)
Tensor expectile_loss(Tensor u, double expectile);
// Log-density (N) of x (N, A) under Gaussians of mean (N, A) and log standard deviation (A).
Tensor gaussian_log_prob(Tensor mean, Tensor log_std, Tensor x);

// --- distributions.cpp: compositions of the above ---
// log(1 - tanh(x)^2) = 2 (log 2 - x - softplus(-2 x)), right also where tanh(x) rounds to 1.
Tensor log_tanh_derivative(Tensor x);
// The inverse of tanh, log((1 + x) / (1 - x)) / 2, with 1 + x and 1 - x not below `margin`.
Tensor atanh(Tensor x, double margin);
// u^2 / 2 up to |u| = threshold, linear beyond it (Huber 1964).
Tensor huber(Tensor u, double threshold);
// Quantile regression of predictions (N, M), the quantiles (i + 0.5) / M, towards samples (N, L):
// mean over N and L of sum over M |tau - 1(u < 0)| huber(u) / threshold, u = sample - prediction
// (Dabney et al. 2018, eq. 10).
Tensor quantile_huber_loss(Tensor predictions, Tensor samples, double threshold);
// -log softmax(logits)[choice] (N) of logits (N, K) and the numbers (N) of choices.
Tensor cross_entropy(Tensor logits, Tensor choices);
// Of x (N, K, ...), the part that one number (N) per row below K chooses: (N, ...).
Tensor pick(Tensor x, Tensor choices);
// 1 at `index`, which is of whole numbers, and 0 elsewhere along a new last axis of n; no
// derivative.
Tensor one_hot(Tensor index, std::int64_t n);
// Where the first maximum along the last axis lies, as a number; no derivative.
Tensor argmax(Tensor x);

}  // namespace drydock
