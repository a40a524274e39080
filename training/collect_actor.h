// Who acts in a collection: a policy file or a behaviour, with what disturbs its actions. Internal
// to collect.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "envs/behaviour.h"
#include "envs/environment.h"
#include "training/collect.h"
#include "training/loaded_policy.h"

namespace drydock::training {

// In hexadecimal.
std::string sha256_of(std::span<const std::byte> bytes);

// Immutable; threads share it.
class CollectActor {
  public:
    // `episodes` is how many are planned, which some behaviours read.
    CollectActor(const CollectOptions& options, const envs::EnvironmentInfo& environment,
                 std::int64_t episodes);

    // What names it in a data file.
    const std::map<std::string, std::string>& attributes() const { return attributes_; }
    const LoadedPolicy* policy() const { return policy_ ? &*policy_ : nullptr; }
    const envs::Behaviour* behaviour() const { return behaviour_.get(); }

    // Adds noise, or replaces the action, and clips it to the environment's bounds.
    void disturb(std::uint64_t episode, std::uint64_t step, std::span<float> action) const;
    std::uint64_t seed() const { return seed_; }

  private:
    void load_policy(const std::string& path, const envs::EnvironmentInfo& environment);

    std::vector<float> low_, high_;
    std::vector<double> noise_;
    double random_steps_;
    std::uint64_t action_count_;  // of the environment
    std::uint64_t seed_;
    std::optional<LoadedPolicy> policy_;
    std::unique_ptr<envs::Behaviour> behaviour_;
    std::map<std::string, std::string> attributes_;
};

// One thread's side of it. The actor must outlive it.
class CollectHand {
  public:
    explicit CollectHand(const CollectActor& actor);

    void begin(std::uint64_t episode);
    // The action of the episode's next step; true where the policy fell back.
    bool act(std::span<const float> observation, std::span<float> action);

  private:
    const CollectActor& actor_;
    std::optional<PolicyContext> context_;
    std::uint64_t episode_ = 0, step_ = 0;
};

}  // namespace drydock::training
