// Causal attention, one head of one sequence per unit. A block of queries' scores against all
// tokens that its last query sees is formed by the shared product of tiles, in an array on the
// stack; nothing of the size tokens x tokens goes to memory. The gradient forms the weights again.
#include "kernels/api/attention.h"

#include <cmath>
#include <limits>

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/product.h"

namespace drydock::kernels::portable {
namespace {

constexpr std::int64_t kQueries = 32;  // of a block

// Scores, weights or their gradients of a block, kMaxAttentionTokens apart.
template <class T>
struct Rows {
    T at[kQueries * kMaxAttentionTokens];
    T* operator[](std::int64_t i) { return at + i * kMaxAttentionTokens; }
};

// One head of one sequence: where its operands begin and how far apart their tokens are.
template <class T>
struct Head {
    const CausalAttention& a;
    std::int64_t b, h;
    std::int64_t width, ld_kv;
    const T *q, *k, *v, *mask, *draws;
    T *out, *log_sum;

    Head(const CausalAttention& args, std::int64_t unit)
        : a(args), b(unit / args.H), h(unit % args.H), width(args.H * args.D), ld_kv(2 * width) {
        q = static_cast<const T*>(a.q) + query_offset();
        k = static_cast<const T*>(a.kv) + key_offset();
        v = k + width;
        mask = static_cast<const T*>(a.mask) + b * a.T;
        draws = static_cast<const T*>(a.draws) + (a.draws ? unit * a.Q * a.T : 0);
        out = static_cast<T*>(a.out) + query_offset();
        log_sum = static_cast<T*>(a.log_sum) + unit * a.Q;
    }

    std::int64_t query_offset() const { return b * a.Q * width + h * a.D; }
    std::int64_t key_offset() const { return b * a.T * ld_kv + h * a.D; }
    // Tokens that query i may see, masked ones included.
    std::int64_t seen(std::int64_t i) const { return a.query_first + i * a.query_stride + 1; }
    T scale() const { return static_cast<T>(1.0 / std::sqrt(static_cast<double>(a.D))); }
    // What dropout multiplies a weight with.
    T kept(std::int64_t i, std::int64_t j) const {
        if (!a.draws) return T(1);
        return draws[i * a.T + j] < static_cast<T>(a.rate) ? T(0)
                                                           : static_cast<T>(1.0 / (1.0 - a.rate));
    }
};

// A part of a product of (rows, depth) with (depth, columns), tile by tile: add(row, column, value,
// n) takes n neighbours of a row.
template <class T, class F>
void for_product(std::int64_t rows, std::int64_t depth, std::int64_t columns, const Factor& left,
                 const Factor& right, F add) {
    Tile<T> tile;
    for (std::int64_t unit = 0; unit < tile_count(rows, columns); ++unit) {
        const TileRange t = tile_range(unit, rows, columns);
        multiply(tile, t, depth, left, right);
        for (std::int64_t r = 0; r < t.rows; ++r) {
            add(t.row + r, t.column, tile.at + r * kTileColumns, t.columns);
        }
    }
}

// to[i] = left's row i times every row of right (tokens, D): what scores and their gradients are.
template <class T>
void against_tokens(Rows<T>& to, const T* left, std::int64_t ld_left, std::int64_t queries,
                    const T* right, std::int64_t ld_right, std::int64_t tokens,
                    std::int64_t depth) {
    for_product<T>(queries, depth, tokens, {left, ld_left, false}, {right, ld_right, true},
                   [&](std::int64_t r, std::int64_t c, const T* values, std::int64_t n) {
                       std::copy_n(values, n, to[r] + c);
                   });
}

// Scores become weights, 0 for what a query does not see. Returns the log of the denominator.
template <class T>
T softmax_row(const Head<T>& head, std::int64_t i, T* row, std::int64_t tokens) {
    const std::int64_t seen = head.seen(i);
    const T scale = head.scale();
    T largest = -std::numeric_limits<T>::infinity();
    for (std::int64_t j = 0; j < seen; ++j) {
        row[j] *= scale;
        if (head.mask[j] != 0 && !(row[j] <= largest)) largest = row[j];
    }
    double sum = 0;
    for (std::int64_t j = 0; j < seen; ++j) {
        row[j] = head.mask[j] != 0 ? std::exp(row[j] - largest) : T(0);
        sum += double{row[j]};
    }
    std::fill(row + seen, row + tokens, T(0));
    if (sum == 0) return -std::numeric_limits<T>::infinity();
    const T inverse = static_cast<T>(1.0 / sum);
    for (std::int64_t j = 0; j < seen; ++j) row[j] *= inverse;
    return static_cast<T>(double{largest} + std::log(sum));
}

template <class T>
void forward_unit(const CausalAttention& a, std::int64_t unit) {
    const Head<T> head(a, unit);
    Rows<T> weights;
    for (std::int64_t first = 0; first < a.Q; first += kQueries) {
        const std::int64_t n = std::min(kQueries, a.Q - first);
        const std::int64_t tokens = head.seen(first + n - 1);
        against_tokens(weights, head.q + first * head.width, head.width, n, head.k, head.ld_kv,
                       tokens, a.D);
        for (std::int64_t r = 0; r < n; ++r) {
            head.log_sum[first + r] = softmax_row(head, first + r, weights[r], tokens);
            if (!a.draws) continue;
            for (std::int64_t j = 0; j < head.seen(first + r); ++j) {
                weights[r][j] *= head.kept(first + r, j);
            }
        }
        for_product<T>(n, tokens, a.D, {weights.at, kMaxAttentionTokens, false},
                       {head.v, head.ld_kv, false},
                       [&](std::int64_t r, std::int64_t c, const T* values, std::int64_t count) {
                           std::copy_n(values, count, head.out + (first + r) * head.width + c);
                       });
    }
}

// Of a block of queries: weights after dropout into `weights`, and the gradient of the scores into
// `slopes`, which holds the gradient of the weights.
template <class T>
void score_gradient_row(const Head<T>& head, const T* dout, std::int64_t i, T* weights, T* slopes,
                        std::int64_t tokens) {
    const T *out = head.out + i * head.width, *d = dout + i * head.width;
    const T scale = head.scale(), log_sum = head.log_sum[i];
    // sum over tokens of weight times its gradient, dropout included, is out times dout.
    const T level = static_cast<T>(
        sum_terms(head.a.D, [&](std::int64_t c) { return double{out[c]} * double{d[c]}; }));
    const std::int64_t seen = head.seen(i);
    for (std::int64_t j = 0; j < seen; ++j) {
        if (head.mask[j] == 0) {
            weights[j] = slopes[j] = 0;
            continue;
        }
        const T p = std::exp(weights[j] * scale - log_sum), kept = head.kept(i, j);
        weights[j] = p * kept;
        slopes[j] = p * (slopes[j] * kept - level) * scale;
    }
    std::fill(weights + seen, weights + tokens, T(0));
    std::fill(slopes + seen, slopes + tokens, T(0));
}

// to (tokens, D) += the block's rows, transposed, times from (queries, D).
template <class T>
void add_to_tokens(Rows<T>& rows, std::int64_t queries, std::int64_t tokens, const T* from,
                   const Head<T>& head, T* to) {
    for_product<T>(tokens, queries, head.a.D, {rows.at, kMaxAttentionTokens, true},
                   {from, head.width, false},
                   [&](std::int64_t j, std::int64_t c, const T* values, std::int64_t n) {
                       T* row = to + j * head.ld_kv + c;
                       for (std::int64_t i = 0; i < n; ++i) row[i] += values[i];
                   });
}

template <class T>
void gradient_unit(const CausalAttentionGradient& g, std::int64_t unit) {
    const CausalAttention& a = g.forward;
    const Head<T> head(a, unit);
    const T* dout = static_cast<const T*>(g.dout) + head.query_offset();
    T* dq = static_cast<T*>(g.dq) + head.query_offset();
    T *dk = static_cast<T*>(g.dkv) + head.key_offset(), *dv = dk + head.width;
    for (std::int64_t j = 0; j < a.T; ++j) {
        std::fill_n(dk + j * head.ld_kv, a.D, T(0));
        std::fill_n(dv + j * head.ld_kv, a.D, T(0));
    }
    Rows<T> weights, slopes;
    for (std::int64_t first = 0; first < a.Q; first += kQueries) {
        const std::int64_t n = std::min(kQueries, a.Q - first);
        const std::int64_t tokens = head.seen(first + n - 1), skip = first * head.width;
        against_tokens(weights, head.q + skip, head.width, n, head.k, head.ld_kv, tokens, a.D);
        against_tokens(slopes, dout + skip, head.width, n, head.v, head.ld_kv, tokens, a.D);
        for (std::int64_t r = 0; r < n; ++r) {
            score_gradient_row(head, dout, first + r, weights[r], slopes[r], tokens);
        }
        for_product<T>(n, tokens, a.D, {slopes.at, kMaxAttentionTokens, false},
                       {head.k, head.ld_kv, false},
                       [&](std::int64_t r, std::int64_t c, const T* values, std::int64_t count) {
                           std::copy_n(values, count, dq + (first + r) * head.width + c);
                       });
        add_to_tokens(slopes, n, tokens, head.q + skip, head, dk);
        add_to_tokens(weights, n, tokens, dout + skip, head, dv);
    }
}

Status check(const CausalAttention& a) {
    const bool sizes = a.B >= 0 && a.H >= 1 && a.D >= 1 && a.Q >= 1 && a.T >= 1;
    const bool queries = a.query_first >= 0 && a.query_stride >= 1 &&
                         a.query_first + (a.Q - 1) * a.query_stride < a.T;
    return valid(is_float(a.dtype) && sizes && queries && a.T <= kMaxAttentionTokens &&
                 a.rate >= 0 && a.rate < 1);
}

Status check_gradient(const CausalAttentionGradient& g) {
    return g.dtype == g.forward.dtype ? check(g.forward) : Status::bad_argument;
}

std::int64_t units(const CausalAttention& a) { return a.B * a.H; }

std::int64_t gradient_units(const CausalAttentionGradient& g) { return units(g.forward); }

}  // namespace

CpuKernel<CausalAttention> causal_attention() {
    return {check, units, run_units<CausalAttention, forward_unit<float>, forward_unit<double>>};
}

CpuKernel<CausalAttentionGradient> causal_attention_gradient() {
    return {check_gradient, gradient_units,
            run_units<CausalAttentionGradient, gradient_unit<float>, gradient_unit<double>>};
}

}  // namespace drydock::kernels::portable
