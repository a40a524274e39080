// Causal attention, one head of one sequence per unit, with everything that a unit forms on the
// stack. Every product, transposed ones too, takes a panel of the right factor, a few columns side
// by side, and runs strips of the left one's rows along it in registers. A strip's depth and the
// panels that it meets end where its last query's tokens end.
#include "kernels/api/attention.h"

#include "base/simd_math.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

constexpr int64_t kMaxWidth = 256;      // of a head; wider ones are left to the portable kernel
constexpr int64_t kQueries = 64;        // whose weights are on the stack at a time
constexpr int64_t kStrip = 6;           // rows of a result in registers
constexpr int64_t kPanel = 2 * kLanes;  // and its columns

DRYDOCK_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
DRYDOCK_INLINE int64_t whole_vectors(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// c[r][n] = sum over k < depth of a[r * a_row + k * a_depth] panel[k * kPanel + n] for n < columns,
// at most kPanel; added to c where `add`.
struct Strip {
    const float* a;
    int64_t a_row, a_depth;
    const float* panel;
    float* c;
    int64_t ldc;
    int64_t columns, depth;
    bool add;
};

template <int kRows, int kVectors>
DRYDOCK_INLINE void strip_of(const Strip& s) {
    const int64_t last = s.columns - (kVectors - 1) * kLanes;  // elements of the last vector
    F32 sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) sums[r][v] = simd::zero();
    }
    const float *a = s.a, *b = s.panel;
    for (int64_t k = 0; k < s.depth; ++k, a += s.a_depth, b += kPanel) {
        F32 right[kVectors];
        for (int v = 0; v < kVectors; ++v) right[v] = simd::load(b + v * kLanes);
        for (int r = 0; r < kRows; ++r) {
            const F32 left = simd::broadcast(a[r * s.a_row]);
            for (int v = 0; v < kVectors; ++v) sums[r][v] = simd::fma(left, right[v], sums[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
            float* c = s.c + r * s.ldc + v * kLanes;
            const int64_t n = v + 1 < kVectors ? kLanes : last;
            if (s.add) sums[r][v] = simd::add(simd::load_first(c, n), sums[r][v]);
            simd::store_first(c, sums[r][v], n);
        }
    }
}

template <int kRows>
void strip_of(const Strip& s) {
    if (s.columns > kLanes) {
        strip_of<kRows, 2>(s);
    } else {
        strip_of<kRows, 1>(s);
    }
}

void multiply(const Strip& s, int64_t rows) {
    switch (rows) {
        case 1:
            return strip_of<1>(s);
        case 2:
            return strip_of<2>(s);
        case 3:
            return strip_of<3>(s);
        case 4:
            return strip_of<4>(s);
        case 5:
            return strip_of<5>(s);
        default:
            return strip_of<kStrip>(s);
    }
}

// One head of one sequence: where its operands begin and how far apart their tokens are.
struct Head {
    const CausalAttention& a;
    int64_t width, ld_kv, query_offset, key_offset;
    const float *q, *k, *v, *draws;
    float *out, *log_sum;
    int64_t ld;  // of scores: all tokens in whole vectors
    float scale, kept;
    float allowed[kMaxAttentionTokens];  // the mask

    DRYDOCK_INLINE Head(const CausalAttention& args, int64_t unit)
        : a(args), width(args.H * args.D), ld_kv(2 * width) {
        const int64_t b = unit / a.H, h = unit % a.H;
        query_offset = b * a.Q * width + h * a.D;
        key_offset = b * a.T * ld_kv + h * a.D;
        q = static_cast<const float*>(a.q) + query_offset;
        k = static_cast<const float*>(a.kv) + key_offset;
        v = k + width;
        draws = static_cast<const float*>(a.draws);
        if (draws != nullptr) draws += unit * a.Q * a.T;
        out = static_cast<float*>(a.out) + query_offset;
        log_sum = static_cast<float*>(a.log_sum) + unit * a.Q;
        ld = whole_vectors(a.T);
        scale = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(a.D)));
        kept = static_cast<float>(1.0 / (1.0 - a.rate));
        const float* mask = static_cast<const float*>(a.mask) + b * a.T;
        for (int64_t j = 0; j < a.T; j += kLanes) {
            const int64_t n = smaller(kLanes, a.T - j);
            simd::store(allowed + j, simd::load_first(mask + j, n));
        }
    }

    // Tokens that query i may see, masked ones included.
    DRYDOCK_INLINE int64_t seen(int64_t i) const { return a.query_first + i * a.query_stride + 1; }
    // The first query that sees token j.
    DRYDOCK_INLINE int64_t first_query(int64_t j) const {
        const int64_t behind = j - a.query_first;
        return behind <= 0 ? 0 : (behind + a.query_stride - 1) / a.query_stride;
    }
    // The tokens of the vector from j on that query i does not see.
    DRYDOCK_INLINE simd::Mask unseen(int64_t i, int64_t j) const {
        const int64_t n = smaller(kLanes, seen(i) - j);
        return simd::equal(simd::load_first(allowed + j, n), simd::zero());
    }
    // What dropout multiplies the weights with.
    DRYDOCK_INLINE F32 dropout(int64_t i, int64_t j) const {
        if (draws == nullptr) return simd::broadcast(1.0f);
        const F32 draw = simd::load_first(draws + i * a.T + j, smaller(kLanes, a.T - j));
        const simd::Mask dropped = simd::greater(simd::broadcast(static_cast<float>(a.rate)), draw);
        return simd::select(dropped, simd::zero(), simd::broadcast(kept));
    }
};

// Queries [first, first + n).
struct Block {
    int64_t first, n;
};

// Columns [column, column + kPanel) of the rows of `from`, those that do not exist as zeros.
void pack_panel(const float* from, int64_t ld, int64_t rows, int64_t column, int64_t columns,
                float* panel) {
    const int64_t left = smaller(kPanel, columns - column), low = smaller(left, kLanes);
    const float* p = from + column;
    for (int64_t k = 0; k < rows; ++k, p += ld, panel += kPanel) {
        simd::store(panel, simd::load_first(p, low));
        simd::store(panel + kLanes, simd::load_first(p + low, left - low));
    }
}

// The first kPanel rows of `from`, `rows` of which exist, become columns of a panel of that depth.
void pack_transposed(const float* from, int64_t ld, int64_t rows, int64_t depth, float* panel) {
    for (int64_t j = 0; j < kPanel; j += kLanes) {
        for (int64_t d = 0; d < depth; d += kLanes) {
            const int64_t n = smaller(kLanes, depth - d);
            F32 square[kLanes];
            if (n == kLanes && j + kLanes <= rows) {
#pragma GCC unroll 16
                for (int64_t i = 0; i < kLanes; ++i) {
                    square[i] = simd::load(from + (j + i) * ld + d);
                }
            } else {
                for (int64_t i = 0; i < kLanes; ++i) {
                    const float* row = from + (j + i) * ld + d;
                    square[i] = j + i < rows ? simd::load_first(row, n) : simd::zero();
                }
            }
            simd::transpose(square);
            float* to = panel + d * kPanel + j;
#pragma GCC unroll 16
            for (int64_t i = 0; i < kLanes; ++i) {
                if (i < n) simd::store(to + i * kPanel, square[i]);
            }
        }
    }
}

// rows[i] = left's row i times the tokens that a query near i sees: scores and their gradients.
void against_tokens(const Head& h, const Block& block, const float* left, const float* tokens,
                    float* rows) {
    alignas(64) float panel[kMaxWidth * kPanel];
    const int64_t all = h.seen(block.first + block.n - 1);
    for (int64_t j = 0; j < all; j += kPanel) {
        pack_transposed(tokens + j * h.ld_kv, h.ld_kv, all - j, h.a.D, panel);
        for (int64_t r = 0; r < block.n; r += kStrip) {
            const int64_t count = smaller(kStrip, block.n - r);
            const int64_t seen = h.seen(block.first + r + count - 1) - j;
            if (seen <= 0) continue;
            multiply({left + (block.first + r) * h.width, h.width, 1, panel, rows + r * h.ld + j,
                      h.ld, smaller(kPanel, whole_vectors(seen)), h.a.D, false},
                     count);
        }
    }
}

// to[i] = the tokens (T, D) weighted by row i.
void weigh_tokens(const Head& h, const Block& block, const float* rows, const float* tokens,
                  float* to) {
    alignas(64) float panel[kMaxAttentionTokens * kPanel];
    const int64_t all = h.seen(block.first + block.n - 1);
    for (int64_t column = 0; column < h.a.D; column += kPanel) {
        pack_panel(tokens, h.ld_kv, all, column, h.a.D, panel);
        for (int64_t r = 0; r < block.n; r += kStrip) {
            const int64_t count = smaller(kStrip, block.n - r);
            multiply({rows + r * h.ld, h.ld, 1, panel, to + (block.first + r) * h.width + column,
                      h.width, smaller(kPanel, h.a.D - column), h.seen(block.first + r + count - 1),
                      false},
                     count);
        }
    }
}

// to (T, D) = the block's rows, transposed, times `queries` (Q, D); added behind the first block.
void weigh_queries(const Head& h, const Block& block, const float* rows, const float* queries,
                   float* to) {
    alignas(64) float panel[kQueries * kPanel];
    const bool add = block.first > 0;
    const int64_t tokens = add ? h.seen(block.first + block.n - 1) : h.a.T;
    for (int64_t column = 0; column < h.a.D; column += kPanel) {
        pack_panel(queries + block.first * h.width, h.width, block.n, column, h.a.D, panel);
        for (int64_t j = 0; j < tokens; j += kStrip) {
            const int64_t before = h.first_query(j) - block.first;
            const int64_t skip = smaller(before < 0 ? 0 : before, block.n);
            multiply(
                {rows + skip * h.ld + j, 1, h.ld, panel + skip * kPanel, to + j * h.ld_kv + column,
                 h.ld_kv, smaller(kPanel, h.a.D - column), block.n - skip, add},
                smaller(kStrip, tokens - j));
        }
    }
}

DRYDOCK_INLINE void clear_behind(const Head& h, int64_t i, float* row) {
    for (int64_t j = whole_vectors(h.seen(i)); j < h.ld; j += kLanes) {
        simd::store(row + j, simd::zero());
    }
}

// What the logarithm of a softmax's denominator is made of.
struct Denominator {
    float largest, sum;
};

// Scores of query i become weights, dropout included.
DRYDOCK_INLINE Denominator softmax_row(const Head& h, int64_t i, float* row) {
    const int64_t seen = h.seen(i);
    const F32 infinity = simd::broadcast(__builtin_inff()), scale = simd::broadcast(h.scale);
    F32 top = simd::negate(infinity), sum = simd::zero();
    for (int64_t j = 0; j < seen; j += kLanes) {
        const F32 score = simd::mul(simd::load(row + j), scale);
        top = simd::select(h.unseen(i, j), top, simd::max(score, top));
        simd::store(row + j, score);
    }
    const float largest = simd::largest(top);
    for (int64_t j = 0; j < seen; j += kLanes) {
        const F32 e = simd::exp(simd::sub(simd::load(row + j), simd::broadcast(largest)));
        const F32 weight = simd::select(h.unseen(i, j), simd::zero(), e);
        sum = simd::add(sum, weight);
        simd::store(row + j, weight);
    }
    const float total = simd::sum(sum);
    // A query that sees nothing keeps its zeros.
    const F32 inverse = simd::broadcast(total == 0 ? 1.0f : 1.0f / total);
    for (int64_t j = 0; j < seen; j += kLanes) {
        const F32 weight = simd::mul(simd::load(row + j), inverse);
        simd::store(row + j, simd::mul(weight, h.dropout(i, j)));
    }
    clear_behind(h, i, row);
    return {largest, total};
}

void softmax(const Head& h, const Block& block, float* rows) {
    float largest[kQueries], sums[kQueries];
    for (int64_t r = 0; r < block.n; ++r) {
        const Denominator d = softmax_row(h, block.first + r, rows + r * h.ld);
        largest[r] = d.largest;
        sums[r] = d.sum;
    }
    for (int64_t r = 0; r < block.n; r += kLanes) {
        const int64_t n = smaller(kLanes, block.n - r);
        const F32 sum = simd::load_first(sums + r, n);
        // The logarithm of 0 is -infinity, as is then the largest.
        const F32 log = simd::add(simd::load_first(largest + r, n), simd::log(sum));
        simd::store_first(h.log_sum + block.first + r, log, n);
    }
}

void forward_unit(const CausalAttention& a, int64_t unit) {
    alignas(64) float weights[kQueries * kMaxAttentionTokens];
    const Head h(a, unit);
    for (int64_t first = 0; first < a.Q; first += kQueries) {
        const Block block = {first, smaller(kQueries, a.Q - first)};
        against_tokens(h, block, h.q, h.k, weights);
        softmax(h, block, weights);
        weigh_tokens(h, block, weights, h.v, h.out);
    }
}

DRYDOCK_INLINE float dot(const float* a, const float* b, int64_t n) {
    F32 sum = simd::zero();
    for (int64_t i = 0; i < n; i += kLanes) {
        const int64_t count = smaller(kLanes, n - i);
        sum = simd::fma(simd::load_first(a + i, count), simd::load_first(b + i, count), sum);
    }
    return simd::sum(sum);
}

// Of query i: scores become weights after dropout; the gradient of the weights becomes that of the
// scores.
DRYDOCK_INLINE void score_gradient_row(const Head& h, const float* dout, int64_t i, float* weights,
                                       float* slopes) {
    // The sum over tokens of a weight times its gradient, dropout included, is out times dout.
    const F32 level = simd::broadcast(dot(h.out + i * h.width, dout + i * h.width, h.a.D));
    const F32 scale = simd::broadcast(h.scale), log_sum = simd::broadcast(h.log_sum[i]);
    for (int64_t j = 0; j < h.seen(i); j += kLanes) {
        const F32 score = simd::mul(simd::load(weights + j), scale);
        const simd::Mask unseen = h.unseen(i, j);
        const F32 p = simd::exp(simd::sub(score, log_sum)), kept = h.dropout(i, j);
        const F32 slope = simd::sub(simd::mul(simd::load(slopes + j), kept), level);
        simd::store(weights + j, simd::select(unseen, simd::zero(), simd::mul(p, kept)));
        simd::store(slopes + j,
                    simd::select(unseen, simd::zero(), simd::mul(simd::mul(p, slope), scale)));
    }
    clear_behind(h, i, weights);
    clear_behind(h, i, slopes);
}

void gradient_unit(const CausalAttentionGradient& g, int64_t unit) {
    alignas(64) float weights[kQueries * kMaxAttentionTokens];
    alignas(64) float slopes[kQueries * kMaxAttentionTokens];
    const CausalAttention& a = g.forward;
    const Head h(a, unit);
    const float* dout = static_cast<const float*>(g.dout) + h.query_offset;
    float* dq = static_cast<float*>(g.dq) + h.query_offset;
    float *dk = static_cast<float*>(g.dkv) + h.key_offset, *dv = dk + h.width;
    for (int64_t first = 0; first < a.Q; first += kQueries) {
        const Block block = {first, smaller(kQueries, a.Q - first)};
        against_tokens(h, block, h.q, h.k, weights);
        against_tokens(h, block, dout, h.v, slopes);
        for (int64_t r = 0; r < block.n; ++r) {
            score_gradient_row(h, dout, first + r, weights + r * h.ld, slopes + r * h.ld);
        }
        weigh_tokens(h, block, slopes, h.k, dq);
        weigh_queries(h, block, slopes, h.q, dk);
        weigh_queries(h, block, weights, dout, dv);
    }
}

Status check(const CausalAttention& a) {
    if (a.dtype != DType::f32 || a.D > kMaxWidth) return Status::unsupported;
    return portable::causal_attention().check(a);
}

Status check_gradient(const CausalAttentionGradient& g) {
    if (g.dtype != DType::f32 || g.forward.D > kMaxWidth) return Status::unsupported;
    return portable::causal_attention_gradient().check(g);
}

int64_t units(const CausalAttention& a) { return a.B * a.H; }

int64_t gradient_units(const CausalAttentionGradient& g) { return units(g.forward); }

void run(const CausalAttention& a, int64_t first, int64_t last) {
    for (int64_t u = first; u < last; ++u) forward_unit(a, u);
}

void run_gradient(const CausalAttentionGradient& g, int64_t first, int64_t last) {
    for (int64_t u = first; u < last; ++u) gradient_unit(g, u);
}

}  // namespace

CpuKernel<CausalAttention> causal_attention() { return {check, units, run}; }

CpuKernel<CausalAttentionGradient> causal_attention_gradient() {
    return {check_gradient, gradient_units, run_gradient};
}

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
