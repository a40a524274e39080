// Contexts and everything that runs in a real-time thread.

#include <cstring>
#include <new>

#include "policy/architecture.h"
#include "policy/float_mode.h"
#include "policy/forward.h"
#include "policy/transformer.h"

struct drydock_context {
    const drydock_policy* policy;
    float* held;          // (action_size): what a fallback writes
    float* staging;       // (action_size)
    float* workspace;     // mlp, best_of_n
    std::uint64_t calls;  // acts since the reset
    drydock::policy::TransformerState sequence;
};

namespace drydock::policy {
namespace {

constexpr float kSelfTestTolerance = 1e-5f;
constexpr drydock_act_status kUseFallback =
    DRYDOCK_ACT_INPUT_NOT_FINITE | DRYDOCK_ACT_OUTPUT_NOT_FINITE;

// In 64 bits everywhere: a file may ask for more than a small machine can address.
constexpr std::uint64_t rounded(std::uint64_t n) {
    return (n + kAlignment - 1) / kAlignment * kAlignment;
}

std::uint64_t action_bytes(const drydock_policy& p) { return p.action_size * sizeof(float); }

bool remembers(const drydock_policy& p) {
    return p.architecture.kind == Kind::decision_transformer;
}

std::uint64_t workspace_bytes(const drydock_policy& p) {
    const Architecture& a = p.architecture;
    const std::uint64_t floats = a.kind == Kind::mlp         ? mlp_workspace(a)
                                 : a.kind == Kind::best_of_n ? best_of_n_workspace(a)
                                                             : transformer_workspace(a);
    return floats * sizeof(float);
}

std::uint64_t context_bytes(const drydock_policy& p) {
    return rounded(sizeof(drydock_context)) + 2 * rounded(action_bytes(p)) +
           rounded(workspace_bytes(p));
}

bool all_finite(const float* x, std::size_t n) {
    bool finite = true;
    for (std::size_t i = 0; i < n; ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, x + i, sizeof bits);
        finite &= (bits & 0x7f800000u) != 0x7f800000u;
    }
    return finite;
}

// Into c.staging. `call` counts from the start of the episode.
drydock_act_status run(drydock_context& c, const float* observation, std::uint64_t call) {
    const drydock_policy& p = *c.policy;
    return remembers(p) ? p.sequence.act(p, c.sequence, observation, c.staging)
                        : p.run(p, observation, call, c.workspace, c.staging);
}

void forget(drydock_context& c) {
    std::memcpy(c.held, c.policy->fallback, action_bytes(*c.policy));
    c.calls = 0;
    if (remembers(*c.policy)) {
        start_episode(*c.policy, c.sequence);
    }
}

// Whether `number` may enter the returns of `context`.
drydock_status check_return(const drydock_context* context, float number) {
    if (context == nullptr) {
        return DRYDOCK_BAD_CALL;
    }
    return !remembers(*context->policy) ? DRYDOCK_NOT_USED
           : !all_finite(&number, 1)    ? DRYDOCK_NOT_FINITE
                                        : DRYDOCK_OK;
}

// Compares c.staging with a golden row.
bool close_to(const drydock_context& c, const float* golden, float& largest) {
    bool good = true;
    for (std::uint32_t i = 0; i < c.policy->action_size; ++i) {
        const float error = __builtin_fabsf(c.staging[i] - golden[i]);
        const float size = __builtin_fabsf(golden[i]);
        good &= error <= kSelfTestTolerance * (size > 1.0f ? size : 1.0f);
        largest = error > largest ? error : largest;
    }
    return good;
}

// The golden rows are one episode of a policy that remembers.
bool play_golden(drydock_context& c, float& largest) {
    const drydock_policy& p = *c.policy;
    bool good = true;
    for (std::uint64_t row = 0; row < p.golden_rows; ++row) {
        const drydock_act_status status =
            run(c, p.golden_observations + row * p.observation_size, row);
        good &= (status & kUseFallback) == 0;
        good &= close_to(c, p.golden_actions + row * p.action_size, largest);
        if (remembers(p)) {
            take_reward(p, c.sequence, p.transformer.golden_rewards[row]);
        }
    }
    return good;
}

}  // namespace
}  // namespace drydock::policy

using namespace drydock::policy;

drydock_status drydock_policy_get_info(const drydock_policy* policy,
                                       drydock_policy_info* info) noexcept {
    constexpr std::size_t kFirstAbi = offsetof(drydock_policy_info, action_count);
    if (policy == nullptr || info == nullptr || info->abi_version < 1 ||
        info->struct_size < (info->abi_version == 1 ? kFirstAbi : sizeof *info)) {
        return DRYDOCK_BAD_CALL;
    }
    const Architecture& a = policy->architecture;
    info->schema_major = policy->schema_major;
    info->schema_minor = policy->schema_minor;
    info->observation_size = policy->observation_size;
    info->action_size = policy->action_size;
    info->layers = remembers(*policy) ? a.blocks : a.layers;
    info->parameters = policy->parameters;
    info->golden_rows = policy->golden_rows;
    info->kind = name_of(a.kind);
    info->kernel = policy->kernel;
    if (info->abi_version > 1) {
        info->action_count = a.argmax ? a.sizes[a.layers] : 0;
        info->context_length = remembers(*policy) ? a.context_length : 1;
    }
    return DRYDOCK_OK;
}

drydock_status drydock_context_size(const drydock_policy* policy, size_t* size,
                                    size_t* alignment) noexcept {
    if (policy == nullptr || size == nullptr || alignment == nullptr) {
        return DRYDOCK_BAD_CALL;
    }
    const std::uint64_t bytes = context_bytes(*policy);
    if (bytes > SIZE_MAX) {
        return DRYDOCK_BAD_ARCHITECTURE;
    }
    *size = static_cast<std::size_t>(bytes);
    *alignment = kAlignment;
    return DRYDOCK_OK;
}

drydock_status drydock_context_create(const drydock_policy* policy, void* block, size_t block_size,
                                      drydock_context** context) noexcept {
    if (context != nullptr) {
        *context = nullptr;
    }
    if (policy == nullptr || block == nullptr || context == nullptr) {
        return DRYDOCK_BAD_CALL;
    }
    if (reinterpret_cast<std::uintptr_t>(block) % kAlignment != 0) {
        return DRYDOCK_MISALIGNED;
    }
    if (block_size < context_bytes(*policy)) {
        return DRYDOCK_BLOCK_TOO_SMALL;
    }
    auto* const memory = static_cast<unsigned char*>(block);
    // Writing all of it also brings every page in before the first act.
    std::memset(memory, 0, static_cast<std::size_t>(context_bytes(*policy)));
    unsigned char* const held = memory + rounded(sizeof(drydock_context));
    unsigned char* const staging = held + rounded(action_bytes(*policy));
    unsigned char* const workspace = staging + rounded(action_bytes(*policy));
    drydock_context& c = *new (block) drydock_context{};
    c.policy = policy;
    c.held = reinterpret_cast<float*>(held);
    c.staging = reinterpret_cast<float*>(staging);
    c.workspace = reinterpret_cast<float*>(workspace);
    if (remembers(*policy)) {
        place_transformer(*policy, c.workspace, c.sequence);
    }
    forget(c);
    *context = &c;
    return DRYDOCK_OK;
}

void drydock_prewarm(drydock_context* context) noexcept {
    if (context == nullptr) {
        return;
    }
    const FloatMode mode;
    const drydock_policy& p = *context->policy;
    if (!remembers(p)) {
        run(*context, p.mean, context->calls);
        return;
    }
    // The two tokens that this appends are overwritten by the next act's.
    p.sequence.complete(p, context->sequence);
    const Episode episode = context->sequence.episode;
    run(*context, p.mean, context->calls);
    context->sequence.episode = episode;
}

drydock_act_status drydock_act(drydock_context* context, const float* observation,
                               size_t observation_size, float* action,
                               size_t action_size) noexcept {
    if (context == nullptr || observation == nullptr || action == nullptr ||
        observation_size != context->policy->observation_size ||
        action_size != context->policy->action_size) {
        return DRYDOCK_ACT_BAD_CALL;
    }
    const FloatMode mode;
    drydock_act_status status = DRYDOCK_ACT_INPUT_NOT_FINITE;
    if (all_finite(observation, observation_size)) {
        status = run(*context, observation, context->calls);
    } else if (remembers(*context->policy)) {
        skip_step(*context->policy, context->sequence);
    }
    ++context->calls;
    if ((status & kUseFallback) == 0) {
        std::memcpy(context->held, context->staging, action_bytes(*context->policy));
    }
    std::memcpy(action, context->held, action_bytes(*context->policy));
    return status;
}

drydock_status drydock_observe_reward(drydock_context* context, float reward) noexcept {
    const drydock_status status = check_return(context, reward);
    if (status == DRYDOCK_OK) {
        const FloatMode mode;
        take_reward(*context->policy, context->sequence, reward);
    }
    return status;
}

drydock_status drydock_set_target_return(drydock_context* context, float target) noexcept {
    const drydock_status status = check_return(context, target);
    if (status == DRYDOCK_OK) {
        const FloatMode mode;
        set_target(*context->policy, context->sequence, target);
    }
    return status;
}

void drydock_prepare_next(drydock_context* context) noexcept {
    if (context != nullptr && remembers(*context->policy)) {
        const FloatMode mode;
        context->policy->sequence.complete(*context->policy, context->sequence);
    }
}

void drydock_reset(drydock_context* context) noexcept {
    if (context != nullptr) {
        const FloatMode mode;
        forget(*context);
    }
}

drydock_status drydock_self_test(drydock_context* context, float* largest_error) noexcept {
    if (context == nullptr) {
        return DRYDOCK_BAD_CALL;
    }
    const FloatMode mode;
    const drydock_policy& p = *context->policy;
    float largest = 0.0f;
    bool good = true;
    if (remembers(p)) {
        const Episode episode = put_aside(p, context->sequence);
        good = play_golden(*context, largest);
        put_back(p, context->sequence, episode);
    } else {
        good = play_golden(*context, largest);
    }
    if (largest_error != nullptr) {
        *largest_error = largest;
    }
    return p.golden_rows == 0 ? DRYDOCK_NO_GOLDEN : good ? DRYDOCK_OK : DRYDOCK_SELF_TEST_FAILED;
}
