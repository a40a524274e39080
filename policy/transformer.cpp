#include "policy/transformer.h"

#include <cstring>
#include <initializer_list>

#include "policy/attention.h"
#include "policy/ends.h"
#include "policy/forward.h"

namespace drydock::policy {
namespace {

// No row: the last block then gives keys and values only.
constexpr std::uint32_t kNone = ~std::uint32_t{0};

enum Part : std::uint32_t { kReturn, kObservation, kAction };

// Token `part` of step `step` of the history: embedding + timestep, normalised.
template <class Set>
DRYDOCK_INLINE void embed(const drydock_policy& p, TransformerState& s, std::uint32_t step,
                          Part part) {
    const Architecture& a = p.architecture;
    const Transformer& t = p.transformer;
    const Layer& layer = part == kReturn        ? t.embed_return
                         : part == kObservation ? t.embed_observation
                                                : t.embed_action;
    float* const from = part == kReturn ? s.history.returns + step
                        : part == kObservation
                            ? s.history.observations + std::uint64_t{step} * a.observation_size
                            : s.history.actions + std::uint64_t{step} * a.action_size;
    float* const token = s.embedded[3 * step + part];
    whole_layer<Set>(layer, {from, 0}, 1, {token, 0});
    const float* const time = t.timesteps + std::uint64_t{s.history.steps[step]} * a.embedding_dim;
    for (std::uint32_t i = 0; i < a.embedding_dim; ++i) {
        token[i] += time[i];
    }
    layer_norm<typename Set::Fma>(t.embed_norm, t.epsilon, a.embedding_dim, token, token);
}

// Queries, keys and values of rows [first, end) of block b from its input x.
template <class Set>
DRYDOCK_INLINE void project(const drydock_policy& p, TransformerState& s, std::uint32_t b,
                            const Rows& x, std::uint32_t first, std::uint32_t end,
                            const Rows& query) {
    const Block& block = p.transformer.blocks[b];
    const std::uint32_t D = p.architecture.embedding_dim;
    for (std::uint32_t row = first; row < end; ++row) {
        layer_norm<typename Set::Fma>(block.norm1, p.transformer.epsilon, D, x[row], s.normed[row]);
    }
    const Rows normed{s.normed[first], s.normed.stride};
    whole_layer<Set>(block.key_value, normed, end - first,
                     {s.key_value[b][first], s.key_value[b].stride});
    if (query.data != nullptr) {
        whole_layer<Set>(block.query, normed, end - first, {query[first], query.stride});
    }
}

// x += y for `rows` rows.
DRYDOCK_INLINE void add_rows(const Rows& x, const Rows& y, std::uint32_t rows, std::uint32_t n) {
    for (std::uint32_t r = 0; r < rows; ++r) {
        float* const to = x[r];
        const float* const from = y[r];
        for (std::uint32_t i = 0; i < n; ++i) {
            to[i] += from[i];
        }
    }
}

// The rest of block b for rows [first, end): s.x becomes the block's output.
template <class Set>
DRYDOCK_INLINE void mix(const drydock_policy& p, TransformerState& s, std::uint32_t b,
                        const Rows& query, std::uint32_t first, std::uint32_t end) {
    const Architecture& a = p.architecture;
    const Block& block = p.transformer.blocks[b];
    const std::uint32_t D = a.embedding_dim;
    for (std::uint32_t row = first; row < end; ++row) {
        attend<typename Set::Fma>(a, p.transformer.attention_scale, query[row], s.key_value[b],
                                  row + 1, s.scores, s.normed[row]);
    }
    for (std::uint32_t row = first; row < end; row += kChunk) {
        const std::uint32_t rows = end - row < kChunk ? end - row : kChunk;
        const Rows x{s.x[row], s.x.stride}, normed{s.normed[row], s.normed.stride};
        whole_layer<Set>(block.out, normed, rows, s.narrow);
        add_rows(x, s.narrow, rows, D);
        for (std::uint32_t r = 0; r < rows; ++r) {
            layer_norm<typename Set::Fma>(block.norm2, p.transformer.epsilon, D, x[r], normed[r]);
        }
        whole_layer<Set>(block.mlp[0], normed, rows, s.hidden);
        for (std::uint32_t r = 0; r < rows; ++r) {
            Set::activate(a.hidden, s.hidden[r], padded(a.mlp_dim));
        }
        whole_layer<Set>(block.mlp[1], s.hidden, rows, s.narrow);
        add_rows(x, s.narrow, rows, D);
    }
}

// Rows [first, end) through all blocks, of the last one keys and values, and its output for row
// `wanted` if that is one. `projected`: the first block's queries, keys and values are there.
template <class Set>
DRYDOCK_INLINE void run_blocks(const drydock_policy& p, TransformerState& s, std::uint32_t first,
                               std::uint32_t end, bool projected, std::uint32_t wanted) {
    if (first == end) {
        return;
    }
    const std::uint32_t last = p.architecture.blocks - 1;
    std::memcpy(s.x[first], s.embedded[first],
                (end - first) * s.x.stride * sizeof(float));  // of equal stride
    for (std::uint32_t b = 0; b <= last; ++b) {
        const Rows& query = b == 0 ? s.first_query : s.query;
        const bool whole = b < last;
        if (b > 0 || !projected) {
            project<Set>(p, s, b, s.x, first, end,
                         b == 0 || whole || wanted != kNone ? query : Rows{});
        }
        if (whole) {
            mix<Set>(p, s, b, query, first, end);
        } else if (wanted != kNone) {
            mix<Set>(p, s, b, query, wanted, wanted + 1);
        }
    }
}

template <class Set>
DRYDOCK_INLINE void rebuild(const drydock_policy& p, TransformerState& s) {
    const std::uint32_t length = s.episode.length;
    for (std::uint32_t step = 0; step < length; ++step) {
        for (const Part part : {kReturn, kObservation, kAction}) {
            embed<Set>(p, s, step, part);
        }
    }
    run_blocks<Set>(p, s, 0, 3 * length, false, kNone);
    if (s.episode.pending) {
        embed<Set>(p, s, length, kReturn);
        embed<Set>(p, s, length, kObservation);
        run_blocks<Set>(p, s, 3 * length, 3 * length + 2, false, kNone);
    }
}

// Rows [from, from + count) to the front.
void move_rows(const Rows& rows, std::uint32_t from, std::uint32_t count) {
    std::memmove(rows[0], rows[from], count * rows.stride * sizeof(float));
}

// Takes the oldest of `length` steps out of everything that depends on one token alone.
void forget_oldest(const Architecture& a, TransformerState& s, std::uint32_t length) {
    const std::uint32_t kept = length - 1;
    move_rows({s.history.observations, a.observation_size}, 1, kept);
    move_rows({s.history.actions, a.action_size}, 1, kept);
    move_rows({s.history.returns, 1}, 1, kept);
    std::memmove(s.history.steps, s.history.steps + 1, kept * sizeof(std::uint32_t));
    for (const Rows& rows : {s.embedded, s.first_query, s.key_value[0]}) {
        move_rows(rows, 3, 3 * kept);
    }
}

template <class Set>
DRYDOCK_INLINE void complete(const drydock_policy& p, TransformerState& s) {
    Episode& e = s.episode;
    if (!e.pending) {
        return;
    }
    const Architecture& a = p.architecture;
    const std::uint32_t row = 3 * e.length + kAction;
    e.pending = false;
    embed<Set>(p, s, e.length, kAction);
    ++e.length;
    if (e.length < a.context_length) {
        run_blocks<Set>(p, s, row, row + 1, false, kNone);
        return;
    }
    project<Set>(p, s, 0, s.embedded, row, row + 1, s.first_query);
    forget_oldest(a, s, e.length);
    --e.length;
    run_blocks<Set>(p, s, 0, 3 * e.length, true, kNone);
}

template <class Set>
DRYDOCK_INLINE drydock_act_status act(const drydock_policy& p, TransformerState& s,
                                      const float* observation, float* action) {
    const Architecture& a = p.architecture;
    const Transformer& t = p.transformer;
    p.sequence.complete(p, s);
    Episode& e = s.episode;
    const std::uint32_t step = e.length, row = 3 * step + kObservation;
    const bool beyond = e.time >= a.episode_len;
    s.history.returns[step] = e.return_to_go;
    s.history.steps[step] = beyond ? a.episode_len - 1 : static_cast<std::uint32_t>(e.time);
    drydock_act_status status = normalise(
        p, observation, s.history.observations + std::uint64_t{step} * a.observation_size);
    embed<Set>(p, s, step, kReturn);
    embed<Set>(p, s, step, kObservation);
    run_blocks<Set>(p, s, row - 1, row + 1, false, row);
    float* const out = s.narrow[0];
    layer_norm<typename Set::Fma>(t.final_norm, t.epsilon, a.embedding_dim, s.x[row],
                                  s.normed[row]);
    Set::last_layer(t.predict, s.normed[row], out);
    Set::activate(a.head, out, padded(a.action_size));
    std::memcpy(s.history.actions + std::uint64_t{step} * a.action_size, out,
                a.action_size * sizeof(float));
    status |= scale_and_bound<typename Set::Fma>(p, out, action);
    e.pending = (status & DRYDOCK_ACT_OUTPUT_NOT_FINITE) == 0;
    ++e.time;
    return status | (beyond ? DRYDOCK_ACT_TIME_BEYOND : DRYDOCK_ACT_OK);
}

drydock_act_status act_portable(const drydock_policy& p, TransformerState& s,
                                const float* observation, float* action) {
    return act<Portable>(p, s, observation, action);
}
void complete_portable(const drydock_policy& p, TransformerState& s) { complete<Portable>(p, s); }
void rebuild_portable(const drydock_policy& p, TransformerState& s) { rebuild<Portable>(p, s); }

#if defined(__x86_64__)
DRYDOCK_AVX2 drydock_act_status act_avx2(const drydock_policy& p, TransformerState& s,
                                         const float* observation, float* action) {
    return act<Avx2>(p, s, observation, action);
}
DRYDOCK_AVX2 void complete_avx2(const drydock_policy& p, TransformerState& s) {
    complete<Avx2>(p, s);
}
DRYDOCK_AVX2 void rebuild_avx2(const drydock_policy& p, TransformerState& s) {
    rebuild<Avx2>(p, s);
}
#endif

}  // namespace

TransformerFunctions transformer_functions([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx2) {
        return {act_avx2, complete_avx2, rebuild_avx2};
    }
#endif
    return {act_portable, complete_portable, rebuild_portable};
}

}  // namespace drydock::policy
