// Kind decision_transformer: what a context remembers, and how an action costs little although the
// window slides.
//
// A step is three tokens: return-to-go, observation, action. An action depends on the tokens of the
// last `context_length` steps and on nothing else. While the window grows, the keys and values of
// earlier tokens stay valid. When it slides, only those of the first block do, since they depend on
// their token alone; those of the other blocks have seen the step that left. So
//   act       appends the two tokens of the new step to a valid window, and runs the last block for
//             the observation's token only;
//   complete  appends the action's token; when the window is full, takes out its oldest step and
//             computes the blocks after the first again. drydock_prepare_next does that in slack
//             time, or else the next act does.
// Every row of every layer is computed in an order that does not depend on how many rows are
// computed at once: the actions have the bits that the whole window, computed anew each time,
// gives.
#pragma once

#include "policy/dense.h"
#include "policy/model.h"

namespace drydock::policy {

// What is remembered of the steps in the window as it came in; enough to compute the rest anew.
struct History {
    float* observations;   // (context_length, S), normalised
    float* actions;        // (context_length, A), the network's
    float* returns;        // (context_length), to go, scaled
    std::uint32_t* steps;  // (context_length), rows of `timesteps`
};

struct Episode {
    std::uint32_t length;  // steps in the window that are complete
    bool pending;          // one more has its first two tokens and an action
    std::uint64_t time;    // acts since the reset
    float return_to_go;    // scaled
};

// In a context's block. Rows are tokens, from the window's oldest on.
struct TransformerState {
    Episode episode;
    float target_return;         // in the environment's units
    History history, saved;      // `saved` is for the self-test
    Rows embedded;               // (3 K, D): the blocks' input
    Rows first_query;            // (3 K, D): of the first block
    Rows key_value[kMaxBlocks];  // (3 K, 2 D)
    Rows x, normed, query;       // (3 K, D): what the blocks work on
    Rows narrow, hidden;         // (kChunk, D) and (kChunk, mlp_dim)
    float* scores;               // (3 K)
};

// Rows of a feed-forward layer's wide activations that are kept at a time.
constexpr std::uint32_t kChunk = 8;

// Floats of everything that a state points to.
std::uint64_t transformer_workspace(const Architecture& architecture);
// Points the state's arrays into `memory`, of which transformer_workspace() floats must be there,
// and starts an episode that asks for the policy's own target.
void place_transformer(const drydock_policy& policy, float* memory, TransformerState& state);

// Starts an episode that asks for the state's target.
void start_episode(const drydock_policy& policy, TransformerState& state);
// A reward came in: as much less is to go.
void take_reward(const drydock_policy& policy, TransformerState& state, float reward);
// The return to go becomes the target, and the target that of later episodes.
void set_target(const drydock_policy& policy, TransformerState& state, float target);
// A step's observation was not finite: it is not remembered, but counts.
void skip_step(const drydock_policy& policy, TransformerState& state);

// Put the episode aside while another one is played in the state, and back.
Episode put_aside(const drydock_policy& policy, TransformerState& state);
void put_back(const drydock_policy& policy, TransformerState& state, const Episode& episode);

}  // namespace drydock::policy
