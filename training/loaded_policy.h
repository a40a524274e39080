// The policy runtime (drydock/policy.h) behind objects that own their memory and throw.
#pragma once

#include <drydock/policy.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace drydock::training {

struct AlignedDelete {
    std::size_t alignment;
    void operator()(std::byte* block) const;
};
using AlignedBlock = std::unique_ptr<std::byte[], AlignedDelete>;

// The file that `path` means: a run folder stands for the policy in it.
std::string policy_file(const std::string& path);

// An immutable policy; threads may share it.
class LoadedPolicy {
  public:
    // `name` is for error texts. Throws Error with the runtime's diagnosis for a foreign, damaged
    // or unsupported file.
    LoadedPolicy(std::span<const std::byte> file, const std::string& name);
    static LoadedPolicy from_file(const std::string& path);

    const drydock_policy* get() const { return policy_; }
    drydock_policy_info info() const;
    std::size_t observation_size() const {
        return static_cast<std::size_t>(info().observation_size);
    }
    std::size_t action_size() const { return static_cast<std::size_t>(info().action_size); }

  private:
    AlignedBlock block_;
    const drydock_policy* policy_ = nullptr;
};

// What acts: one per thread. The policy must outlive it.
class PolicyContext {
  public:
    explicit PolicyContext(const LoadedPolicy& policy);

    // The action for one raw observation, both in the environment's units; returns the runtime's
    // status bits. Throws Error for wrong sizes only.
    drydock_act_status act(std::span<const float> observation, std::span<float> action);
    void reset() { drydock_reset(context_); }
    // Both do nothing for a policy that does not look at returns. Throw Error for a number that is
    // not finite.
    void observe_reward(double reward);
    void set_target_return(double target);
    void prepare_next() { drydock_prepare_next(context_); }
    // Largest difference from the golden actions. Throws Error when it is too large or there are
    // none.
    float self_test();

  private:
    AlignedBlock block_;
    drydock_context* context_ = nullptr;
};

}  // namespace drydock::training
