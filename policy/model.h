// What a loaded policy and a context are in memory. Everything that they point to lies in the same
// block, behind the struct.
#pragma once

#include <cstddef>
#include <cstdint>

#include "policy/include/drydock/policy.h"

namespace drydock::policy {

constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector
constexpr std::uint32_t kMaxLayers = 32;
constexpr std::uint32_t kMaxWidth = 65536;

enum class Activation : std::uint8_t { identity, relu, tanh };

struct Architecture {
    Activation hidden;
    Activation head;
    std::uint32_t layers;                 // linear layers, at least 1
    std::uint32_t sizes[kMaxLayers + 1];  // observation, hidden ..., action
};

// Packed by policy/pack.h.
struct Layer {
    std::uint32_t in, out;
    const float* weights;
    const float* bias;  // (padded(out)), the padding is 0
};

// Normalises, runs the layers, applies head, scale, bias and bounds. `workspace` has two buffers of
// workspace_floats(architecture) floats. `action` may be written even where the result tells of a
// non-finite output.
using RunFunction = drydock_act_status (*)(const drydock_policy& policy, const float* observation,
                                           float* workspace, float* action);

// Vector kernels write whole groups of 8 outputs.
constexpr std::uint64_t padded(std::uint64_t outputs) { return (outputs + 7) / 8 * 8; }

// Floats of one of the two activation buffers: a multiple of a cache line.
constexpr std::uint64_t workspace_floats(const Architecture& a) {
    std::uint64_t widest = 0;
    for (std::uint32_t i = 0; i <= a.layers; ++i) {
        widest = a.sizes[i] > widest ? a.sizes[i] : widest;
    }
    return (widest + 15) / 16 * 16;
}

}  // namespace drydock::policy

struct drydock_policy {
    drydock::policy::Architecture architecture;
    drydock::policy::Layer layers[drydock::policy::kMaxLayers];
    std::uint32_t observation_size, action_size;
    const float *mean, *deviation;           // (observation_size)
    const float *scale, *bias, *low, *high;  // (action_size)
    const float* fallback;                   // (action_size)
    const float* golden_observations;        // (golden_rows, observation_size)
    const float* golden_actions;             // (golden_rows, action_size)
    std::uint64_t golden_rows;
    float clip;
    std::uint32_t schema_major, schema_minor;
    drydock::policy::RunFunction run;
    const char* kernel;
};

struct drydock_context {
    const drydock_policy* policy;
    float* held;       // (action_size): what a fallback writes
    float* staging;    // (action_size)
    float* workspace;  // two activation buffers
};
