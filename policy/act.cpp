// Contexts and everything that runs in a real-time thread.

#include <cstring>
#include <new>

#include "policy/float_mode.h"
#include "policy/model.h"

namespace drydock::policy {
namespace {

constexpr float kSelfTestTolerance = 1e-5f;
constexpr drydock_act_status kUseFallback =
    DRYDOCK_ACT_INPUT_NOT_FINITE | DRYDOCK_ACT_OUTPUT_NOT_FINITE;

constexpr std::size_t rounded(std::size_t n) {
    return (n + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t action_bytes(const drydock_policy& p) { return p.action_size * sizeof(float); }

std::size_t context_bytes(const drydock_policy& p) {
    return rounded(sizeof(drydock_context)) + 2 * rounded(action_bytes(p)) +
           2 * static_cast<std::size_t>(workspace_floats(p.architecture)) * sizeof(float);
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

drydock_act_status run(const drydock_context& c, const float* observation) {
    const FloatMode mode;
    return c.policy->run(*c.policy, observation, c.workspace, c.staging);
}

void forget(drydock_context& c) {
    std::memcpy(c.held, c.policy->fallback, action_bytes(*c.policy));
}

}  // namespace
}  // namespace drydock::policy

using namespace drydock::policy;

drydock_status drydock_policy_get_info(const drydock_policy* policy,
                                       drydock_policy_info* info) noexcept {
    if (policy == nullptr || info == nullptr || info->struct_size < sizeof(drydock_policy_info) ||
        info->abi_version < DRYDOCK_POLICY_ABI) {
        return DRYDOCK_BAD_CALL;
    }
    info->schema_major = policy->schema_major;
    info->schema_minor = policy->schema_minor;
    info->observation_size = policy->observation_size;
    info->action_size = policy->action_size;
    info->layers = policy->architecture.layers;
    info->parameters = 0;
    for (std::uint32_t k = 0; k < policy->architecture.layers; ++k) {
        const Layer& layer = policy->layers[k];
        info->parameters += (std::uint64_t{layer.in} + 1) * layer.out;
    }
    info->golden_rows = policy->golden_rows;
    info->kind = "mlp";
    info->kernel = policy->kernel;
    return DRYDOCK_OK;
}

drydock_status drydock_context_size(const drydock_policy* policy, size_t* size,
                                    size_t* alignment) noexcept {
    if (policy == nullptr || size == nullptr || alignment == nullptr) {
        return DRYDOCK_BAD_CALL;
    }
    *size = context_bytes(*policy);
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
    std::memset(memory, 0, context_bytes(*policy));
    unsigned char* const held = memory + rounded(sizeof(drydock_context));
    unsigned char* const staging = held + rounded(action_bytes(*policy));
    unsigned char* const workspace = staging + rounded(action_bytes(*policy));
    *context = new (block)
        drydock_context{policy, reinterpret_cast<float*>(held), reinterpret_cast<float*>(staging),
                        reinterpret_cast<float*>(workspace)};
    forget(**context);
    return DRYDOCK_OK;
}

void drydock_prewarm(drydock_context* context) noexcept {
    if (context != nullptr) {
        run(*context, context->policy->mean);
    }
}

drydock_act_status drydock_act(drydock_context* context, const float* observation,
                               size_t observation_size, float* action,
                               size_t action_size) noexcept {
    if (context == nullptr || observation == nullptr || action == nullptr ||
        observation_size != context->policy->observation_size ||
        action_size != context->policy->action_size) {
        return DRYDOCK_ACT_BAD_CALL;
    }
    const drydock_act_status status = all_finite(observation, observation_size)
                                          ? run(*context, observation)
                                          : DRYDOCK_ACT_INPUT_NOT_FINITE;
    if ((status & kUseFallback) == 0) {
        std::memcpy(context->held, context->staging, action_bytes(*context->policy));
    }
    std::memcpy(action, context->held, action_bytes(*context->policy));
    return status;
}

void drydock_prepare_next(drydock_context*) noexcept {}

void drydock_reset(drydock_context* context) noexcept {
    if (context != nullptr) {
        forget(*context);
    }
}

drydock_status drydock_self_test(drydock_context* context, float* largest_error) noexcept {
    if (context == nullptr) {
        return DRYDOCK_BAD_CALL;
    }
    const drydock_policy& p = *context->policy;
    bool good = true;
    float largest = 0.0f;
    for (std::uint64_t row = 0; row < p.golden_rows; ++row) {
        const drydock_act_status status =
            run(*context, p.golden_observations + row * p.observation_size);
        good &= (status & kUseFallback) == 0;
        for (std::uint32_t i = 0; i < p.action_size; ++i) {
            const float want = p.golden_actions[row * p.action_size + i];
            const float error = __builtin_fabsf(context->staging[i] - want);
            const float size = __builtin_fabsf(want);
            good &= error <= kSelfTestTolerance * (size > 1.0f ? size : 1.0f);
            largest = error > largest ? error : largest;
        }
    }
    if (largest_error != nullptr) {
        *largest_error = largest;
    }
    return p.golden_rows == 0 ? DRYDOCK_NO_GOLDEN : good ? DRYDOCK_OK : DRYDOCK_SELF_TEST_FAILED;
}
