// What a loaded policy and a context are in memory. Everything that they point to lies in the same
// block, behind the struct.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/compiler.h"
#include "policy/include/drydock/policy.h"

namespace drydock::policy {

constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector
constexpr std::uint32_t kMaxLayers = 32;
constexpr std::uint32_t kMaxWidth = 65536;
constexpr std::uint32_t kMaxBlocks = 8;
constexpr std::uint32_t kMaxSamples = 1u << 20;
constexpr std::uint32_t kMaxSteps = 1u << 20;  // of a context or an episode

enum class Kind : std::uint8_t { mlp, best_of_n, decision_transformer };
enum class Activation : std::uint8_t { identity, relu, tanh, gelu };

struct Architecture {
    Kind kind;
    Activation hidden;
    Activation head;
    bool argmax;  // of an mlp: it acts by the number of its largest output
    std::uint32_t observation_size, action_size;

    // mlp, best_of_n
    std::uint32_t layers;                 // linear layers, at least 1
    std::uint32_t sizes[kMaxLayers + 1];  // input, hidden ..., output
    std::uint32_t samples;                // best_of_n
    std::uint64_t seed;

    // decision_transformer
    std::uint32_t blocks, heads, embedding_dim, mlp_dim, context_length, episode_len;
};

// Packed by policy/pack.h.
struct Layer {
    std::uint32_t in, out;
    const float* weights;
    const float* bias;  // (padded(out)), the padding is 0
};

struct Norm {
    const float *weight, *bias;  // (embedding_dim)
};

struct Block {
    Norm norm1, norm2;
    Layer query, key_value, out;  // the parts of attention.qkv, and attention.out
    Layer mlp[2];
};

struct Transformer {
    Layer embed_return, embed_observation, embed_action, predict;
    const float* timesteps;  // (episode_len, embedding_dim)
    Norm embed_norm, final_norm;
    Block blocks[kMaxBlocks];
    float epsilon, return_scale, target_return, attention_scale;
    const float* golden_rewards;  // (golden_rows)
};

// Vector kernels write whole groups of 8 outputs.
constexpr std::uint64_t padded(std::uint64_t outputs) { return (outputs + 7) / 8 * 8; }

// Floats of whole cache lines.
constexpr std::uint64_t lines(std::uint64_t floats) { return (floats + 15) / 16 * 16; }

// The widest input or output of an mlp's or best_of_n's layers, in whole cache lines.
constexpr std::uint64_t widest_layer(const Architecture& a) {
    std::uint64_t widest = 0;
    for (std::uint32_t i = 0; i <= a.layers; ++i) {
        widest = a.sizes[i] > widest ? a.sizes[i] : widest;
    }
    return lines(widest);
}

// Rows of numbers at a constant distance.
struct Rows {
    float* data;
    std::uint64_t stride;
    DRYDOCK_INLINE float* operator[](std::uint64_t row) const { return data + row * stride; }
};

struct TransformerState;

// Normalises, runs the layers, applies head, scale, bias and bounds. `call` counts an episode's
// actions from 0. `action` may be written even where the result tells of a non-finite output.
using RunFunction = drydock_act_status (*)(const drydock_policy& policy, const float* observation,
                                           std::uint64_t call, float* workspace, float* action);

// What a transformer does; policy/transformer.h says when.
struct TransformerFunctions {
    drydock_act_status (*act)(const drydock_policy& policy, TransformerState& state,
                              const float* observation, float* action);
    void (*complete)(const drydock_policy& policy, TransformerState& state);
    void (*rebuild)(const drydock_policy& policy, TransformerState& state);
};

}  // namespace drydock::policy

struct drydock_policy {
    drydock::policy::Architecture architecture;
    drydock::policy::Layer layers[drydock::policy::kMaxLayers];
    drydock::policy::Transformer transformer;
    std::uint32_t observation_size, action_size;
    const float *mean, *deviation;           // (observation_size)
    const float *scale, *bias, *low, *high;  // (action_size)
    const float* fallback;                   // (action_size)
    const float* golden_observations;        // (golden_rows, observation_size)
    const float* golden_actions;             // (golden_rows, action_size)
    std::uint64_t golden_rows, parameters;
    float clip;
    std::uint32_t schema_major, schema_minor;
    drydock::policy::RunFunction run;                // mlp, best_of_n
    drydock::policy::TransformerFunctions sequence;  // decision_transformer
    const char* kernel;
};
