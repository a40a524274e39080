// Kind best_of_n: the network values an observation with an action, and the policy acts by the best
// of uniform candidates.

#include "base/philox.h"
#include "policy/ends.h"
#include "policy/forward.h"

namespace drydock::policy {
namespace {

constexpr std::uint64_t kStream = stream_id("policy_samples");
constexpr std::uint32_t kTogether = 4;  // candidates that share one pass over the weights

// The pieces of the workspace.
struct Workspace {
    float* observation;
    float* state;  // the first layer's sums over the observation
    float* best;   // the best action so far
    Rows candidates, x, y;
};

Workspace lay_out(const Architecture& a, float* from) {
    Workspace w{};
    const auto take = [&](std::uint64_t floats) {
        float* const piece = from;
        from += lines(floats);
        return piece;
    };
    w.observation = take(a.observation_size);
    w.state = take(padded(a.sizes[1]));
    w.best = take(a.action_size);
    w.candidates = {take(kTogether * lines(a.action_size)), lines(a.action_size)};
    w.x = {take(kTogether * widest_layer(a)), widest_layer(a)};
    w.y = {take(kTogether * widest_layer(a)), widest_layer(a)};
    return w;
}

// Numbers [first, first + n) of the stream.
DRYDOCK_INLINE void draw(std::uint64_t seed, std::uint64_t first, std::uint32_t n, float* out) {
    PhiloxBlock block{};
    for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint64_t at = first + i;
        if (i == 0 || at % 4 == 0) {
            block = random_block(seed, kStream, 0, at / 4);
        }
        out[i] = 2.0f * uniform_f32_of(block.word[at % 4]) - 1.0f;
    }
}

// Values of `rows` candidates into w.y[row][0] (or w.x, whichever the result says).
template <class Set>
DRYDOCK_INLINE Rows value_candidates(const drydock_policy& p, const Workspace& w,
                                     std::uint32_t rows) {
    const Architecture& a = p.architecture;
    Rows x = w.x, y = w.y;
    Set::hidden_layer(p.layers[0], a.observation_size, a.sizes[0], w.state, w.candidates, rows, x);
    for (std::uint32_t k = 1;; ++k) {
        for (std::uint32_t r = 0; r < rows; ++r) {
            Set::activate(a.hidden, x[r], padded(p.layers[k - 1].out));
        }
        if (k + 1 == a.layers) {
            break;
        }
        whole_layer<Set>(p.layers[k], x, rows, y);
        const Rows swap = x;
        x = y;
        y = swap;
    }
    for (std::uint32_t r = 0; r < rows; ++r) {
        Set::last_layer(p.layers[a.layers - 1], x[r], y[r]);
    }
    return y;
}

template <class Set>
DRYDOCK_INLINE drydock_act_status run(const drydock_policy& p, const float* observation,
                                      std::uint64_t call, float* workspace, float* action) {
    const Architecture& a = p.architecture;
    const Workspace w = lay_out(a, workspace);
    const drydock_act_status input = normalise(p, observation, w.observation);
    const Rows one{w.observation, 0};
    Set::hidden_layer(p.layers[0], 0, a.observation_size, p.layers[0].bias, one, 1, {w.state, 0});
    float highest = 0.0f;
    bool finite = true;
    for (std::uint32_t first = 0; first < a.samples; first += kTogether) {
        const std::uint32_t rest = a.samples - first;
        const std::uint32_t rows = rest < kTogether ? rest : kTogether;
        for (std::uint32_t r = 0; r < rows; ++r) {
            draw(a.seed, (call * a.samples + first + r) * a.action_size, a.action_size,
                 w.candidates[r]);
        }
        const Rows values = value_candidates<Set>(p, w, rows);
        for (std::uint32_t r = 0; r < rows; ++r) {
            const float value = values[r][0];
            finite &= is_finite(value);
            if ((first == 0 && r == 0) || value > highest) {  // of equal ones the first
                highest = value;
                __builtin_memcpy(w.best, w.candidates[r], a.action_size * sizeof(float));
            }
        }
    }
    const drydock_act_status output = scale_and_bound<typename Set::Fma>(p, w.best, action);
    return input | output | (finite ? DRYDOCK_ACT_OK : DRYDOCK_ACT_OUTPUT_NOT_FINITE);
}

drydock_act_status run_portable(const drydock_policy& p, const float* observation,
                                std::uint64_t call, float* workspace, float* action) {
    return run<Portable>(p, observation, call, workspace, action);
}

#if defined(__x86_64__)
DRYDOCK_AVX2 drydock_act_status run_avx2(const drydock_policy& p, const float* observation,
                                         std::uint64_t call, float* workspace, float* action) {
    return run<Avx2>(p, observation, call, workspace, action);
}
#endif

}  // namespace

std::uint64_t best_of_n_workspace(const Architecture& a) {
    return lines(a.observation_size) + lines(padded(a.sizes[1])) +
           (1 + kTogether) * lines(a.action_size) + 2 * kTogether * widest_layer(a);
}

RunFunction run_best_of_n([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx2) {
        return run_avx2;
    }
#endif
    return run_portable;
}

}  // namespace drydock::policy
