#include "envs/behaviour.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/philox.h"
#include "envs/behaviours.h"
#include "envs/mujoco_rules.h"

namespace drydock::envs {
namespace {

class RandomBehaviour final : public Behaviour {
  public:
    explicit RandomBehaviour(const EnvironmentInfo& environment)
        : low_(environment.action_low),
          high_(environment.action_high),
          count_(static_cast<std::uint64_t>(environment.action_count)) {}

    void act(std::span<const float>, std::uint64_t seed, std::uint64_t episode, std::uint64_t step,
             std::span<float> action) const override {
        if (action.size() != low_.size()) {
            throw Error(fmt::format("[behaviour] expected room for an action of size {}, got {}",
                                    low_.size(), action.size()));
        }
        if (count_ > 0) {
            action[0] = static_cast<float>(
                random_index(seed, stream_id("behaviour_action"), episode, step, count_));
            return;
        }
        for (std::size_t j = 0; j < action.size(); ++j) {
            const float u =
                uniform_f32(seed, stream_id("behaviour_action"), episode, step * action.size() + j);
            action[j] = low_[j] + (high_[j] - low_[j]) * u;
        }
    }

  private:
    std::vector<float> low_, high_;
    std::uint64_t count_;  // of actions to choose from; 0: they are real numbers
};

class Mixture final : public Behaviour {
  public:
    explicit Mixture(std::vector<std::unique_ptr<Behaviour>> parts) : parts_(std::move(parts)) {}

    void act(std::span<const float> observation, std::uint64_t seed, std::uint64_t episode,
             std::uint64_t step, std::span<float> action) const override {
        const std::uint64_t choice =
            random_index(seed, stream_id("behaviour_choice"), episode, 0, parts_.size());
        parts_[choice]->act(observation, seed, episode, step, action);
    }

  private:
    std::vector<std::unique_ptr<Behaviour>> parts_;
};

std::vector<BehaviourEntry> generic_behaviours(const EnvironmentInfo& environment) {
    const MujocoTask* task = find_mujoco_task(environment.name);
    const auto mean = task != nullptr ? std::optional(task->random_return) : std::nullopt;
    return {{{"random", "uniform actions within the bounds", mean},
             [environment](std::uint64_t) { return make_random_behaviour(environment); }}};
}

// An environment with behaviours of its own has a line here.
std::vector<BehaviourEntry> entries_of(const EnvironmentInfo& environment) {
    if (environment.name == "cartpole") return cartpole_behaviours(environment);
    if (environment.name == "pendulum") return pendulum_behaviours(environment);
    return generic_behaviours(environment);
}

}  // namespace

std::unique_ptr<Behaviour> make_random_behaviour(const EnvironmentInfo& environment) {
    return std::make_unique<RandomBehaviour>(environment);
}

std::unique_ptr<Behaviour> make_mixture(std::vector<std::unique_ptr<Behaviour>> parts) {
    return std::make_unique<Mixture>(std::move(parts));
}

std::vector<BehaviourInfo> list_behaviours(const EnvironmentInfo& environment) {
    std::vector<BehaviourInfo> infos;
    for (BehaviourEntry& entry : entries_of(environment)) infos.push_back(std::move(entry.info));
    return infos;
}

std::unique_ptr<Behaviour> make_behaviour(const EnvironmentInfo& environment,
                                          const std::string& name, std::uint64_t episodes) {
    std::string known;
    for (const BehaviourEntry& entry : entries_of(environment)) {
        if (entry.info.name == name) return entry.make(episodes);
        known += (known.empty() ? "" : ", ") + entry.info.name;
    }
    throw Error(fmt::format("[behaviour] expected one of {} for {}, got \"{}\"", known,
                            environment.name, name),
                ErrorKind::usage);
}

}  // namespace drydock::envs
