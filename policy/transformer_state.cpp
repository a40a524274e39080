// The book-keeping of a transformer's context.

#include <cstring>
#include <initializer_list>

#include "policy/transformer.h"

namespace drydock::policy {
namespace {

// Hands out rows of whole cache lines, or counts them where there is no memory.
class Places {
  public:
    explicit Places(float* memory) : memory_(memory) {}

    Rows rows(std::uint64_t count, std::uint64_t width) {
        const std::uint64_t stride = lines(width);
        return {take(count * stride), stride};
    }
    float* take(std::uint64_t floats) {
        float* const piece = memory_ == nullptr ? nullptr : memory_ + used_;
        used_ += lines(floats);
        return piece;
    }
    std::uint64_t used() const { return used_; }

  private:
    float* memory_;
    std::uint64_t used_ = 0;
};

History place_history(const Architecture& a, Places& places) {
    const std::uint64_t K = a.context_length;
    static_assert(sizeof(std::uint32_t) == sizeof(float));
    return {places.take(K * a.observation_size), places.take(K * a.action_size), places.take(K),
            reinterpret_cast<std::uint32_t*>(places.take(K))};
}

void place(const Architecture& a, Places& places, TransformerState& s) {
    const std::uint64_t tokens = 3 * std::uint64_t{a.context_length};
    const std::uint64_t D = padded(a.embedding_dim);
    s.history = place_history(a, places);
    s.saved = place_history(a, places);
    s.embedded = places.rows(tokens, D);
    s.first_query = places.rows(tokens, D);
    for (std::uint32_t b = 0; b < a.blocks; ++b) {
        s.key_value[b] = places.rows(tokens, padded(2 * std::uint64_t{a.embedding_dim}));
    }
    for (Rows* rows : {&s.x, &s.normed, &s.query}) {
        *rows = places.rows(tokens, D);
    }
    // Also takes embeddings of inputs and the prediction, which may be wider.
    const std::uint64_t action = padded(a.action_size);
    s.narrow = places.rows(kChunk, D > action ? D : action);
    s.hidden = places.rows(kChunk, padded(a.mlp_dim));
    s.scores = places.take(tokens);
}

void copy(const Architecture& a, const History& from, const History& to) {
    const std::size_t K = a.context_length;
    std::memcpy(to.observations, from.observations, K * a.observation_size * sizeof(float));
    std::memcpy(to.actions, from.actions, K * a.action_size * sizeof(float));
    std::memcpy(to.returns, from.returns, K * sizeof(float));
    std::memcpy(to.steps, from.steps, K * sizeof(std::uint32_t));
}

}  // namespace

std::uint64_t transformer_workspace(const Architecture& architecture) {
    TransformerState state{};
    Places places(nullptr);
    place(architecture, places, state);
    return places.used();
}

void place_transformer(const drydock_policy& policy, float* memory, TransformerState& state) {
    Places places(memory);
    place(policy.architecture, places, state);
    state.target_return = policy.transformer.target_return;
    start_episode(policy, state);
}

void start_episode(const drydock_policy& policy, TransformerState& state) {
    state.episode = {0, false, 0, state.target_return * policy.transformer.return_scale};
}

void take_reward(const drydock_policy& policy, TransformerState& state, float reward) {
    state.episode.return_to_go -= reward * policy.transformer.return_scale;
}

void set_target(const drydock_policy& policy, TransformerState& state, float target) {
    state.target_return = target;
    state.episode.return_to_go = target * policy.transformer.return_scale;
}

void skip_step(const drydock_policy& policy, TransformerState& state) {
    policy.sequence.complete(policy, state);
    ++state.episode.time;
}

Episode put_aside(const drydock_policy& policy, TransformerState& state) {
    copy(policy.architecture, state.history, state.saved);
    const Episode episode = state.episode;
    state.episode = {0, false, 0,
                     policy.transformer.target_return * policy.transformer.return_scale};
    return episode;
}

void put_back(const drydock_policy& policy, TransformerState& state, const Episode& episode) {
    copy(policy.architecture, state.saved, state.history);
    state.episode = episode;
    policy.sequence.rebuild(policy, state);
}

}  // namespace drydock::policy
