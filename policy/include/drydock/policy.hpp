// The C++ view of policy.h: the same calls on spans. It owns nothing and adds nothing; what the
// blocks are and how long they live is said there.
#pragma once

#include <cstddef>
#include <span>

#include "drydock/policy.h"

namespace drydock::policy {

// How large a block is needed, and its alignment.
struct Memory {
    std::size_t size = 0;
    std::size_t alignment = 1;
};

// A diagnosis that is ready to be passed to Policy::load.
inline drydock_diagnosis new_diagnosis() noexcept {
    drydock_diagnosis diagnosis{};
    diagnosis.struct_size = sizeof diagnosis;
    diagnosis.abi_version = DRYDOCK_POLICY_ABI;
    return diagnosis;
}

// A loaded policy: a pointer into its block. Copies are the same policy.
class Policy {
  public:
    Policy() = default;

    static drydock_status memory(std::span<const std::byte> file, Memory& needed) noexcept {
        return drydock_policy_size(file.data(), file.size(), &needed.size, &needed.alignment);
    }

    // Sets `policy` to the policy in `block`, or on a refusal to an empty one.
    static drydock_status load(std::span<const std::byte> file, std::span<std::byte> block,
                               Policy& policy, drydock_diagnosis* diagnosis = nullptr) noexcept {
        return drydock_policy_load(file.data(), file.size(), block.data(), block.size(),
                                   &policy.handle_, diagnosis);
    }

    explicit operator bool() const noexcept { return handle_ != nullptr; }
    const drydock_policy* handle() const noexcept { return handle_; }

    // All zeros for an empty policy.
    drydock_policy_info info() const noexcept {
        drydock_policy_info info{};
        info.struct_size = sizeof info;
        info.abi_version = DRYDOCK_POLICY_ABI;
        drydock_policy_get_info(handle_, &info);
        return info;
    }

    drydock_status context_memory(Memory& needed) const noexcept {
        return drydock_context_size(handle_, &needed.size, &needed.alignment);
    }

  private:
    const drydock_policy* handle_ = nullptr;
};

// A pointer to the state of one thread's episode, which lies in the caller's block.
class Context {
  public:
    Context() = default;

    static drydock_status create(const Policy& policy, std::span<std::byte> block,
                                 Context& context) noexcept {
        return drydock_context_create(policy.handle(), block.data(), block.size(),
                                      &context.handle_);
    }

    explicit operator bool() const noexcept { return handle_ != nullptr; }

    void prewarm() noexcept { drydock_prewarm(handle_); }
    drydock_act_status act(std::span<const float> observation, std::span<float> action) noexcept {
        return drydock_act(handle_, observation.data(), observation.size(), action.data(),
                           action.size());
    }
    drydock_status observe_reward(float reward) noexcept {
        return drydock_observe_reward(handle_, reward);
    }
    drydock_status set_target_return(float target) noexcept {
        return drydock_set_target_return(handle_, target);
    }
    void prepare_next() noexcept { drydock_prepare_next(handle_); }
    void reset() noexcept { drydock_reset(handle_); }
    drydock_status self_test(float* largest_error = nullptr) noexcept {
        return drydock_self_test(handle_, largest_error);
    }

  private:
    drydock_context* handle_ = nullptr;
};

}  // namespace drydock::policy
