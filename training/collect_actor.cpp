#include "training/collect_actor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "base/sha256.h"
#include "core/safetensors.h"

namespace drydock::training {
namespace {

void check_disturbance(const CollectOptions& options) {
    for (const double level : options.noise) {
        if (std::isfinite(level) && level >= 0) continue;
        throw Error(fmt::format("[collect] expected noise levels of 0 or more, in units of the "
                                "action's half range, got {}",
                                level),
                    ErrorKind::usage);
    }
    if (!(options.random_steps >= 0 && options.random_steps <= 1)) {
        throw Error(fmt::format("[collect] expected a share of random steps from 0 to 1, got {}",
                                options.random_steps),
                    ErrorKind::usage);
    }
    if (!options.policy.empty() && !options.behaviour.empty()) {
        throw Error(fmt::format("[collect] expected a policy or a behaviour, got both, '{}' and "
                                "'{}'; leave one out",
                                options.policy, options.behaviour),
                    ErrorKind::usage);
    }
}

}  // namespace

std::string sha256_of(std::span<const std::byte> bytes) {
    Sha256 hash;
    hash.update(bytes.data(), bytes.size());
    char text[Sha256::kHexLength + 1];
    hash.finish_hex(text);
    return text;
}

CollectActor::CollectActor(const CollectOptions& options, const envs::EnvironmentInfo& environment,
                           std::int64_t episodes)
    : low_(environment.action_low),
      high_(environment.action_high),
      noise_((check_disturbance(options), options.noise)),
      random_steps_(options.random_steps),
      action_count_(static_cast<std::uint64_t>(environment.action_count)),
      seed_(options.seed) {
    if (action_count_ > 0 && !noise_.empty()) {
        throw Error(fmt::format("[collect] expected no noise for environment '{}', whose actions "
                                "are choices, got {}; take a share of random steps",
                                environment.name, fmt::join(noise_, ",")),
                    ErrorKind::usage);
    }
    if (!options.policy.empty()) {
        load_policy(policy_file(options.policy), environment);
    } else {
        std::string name = options.behaviour;
        if (name.empty()) name = envs::list_behaviours(environment).back().name;
        behaviour_ = envs::make_behaviour(environment, name, static_cast<std::uint64_t>(episodes));
        attributes_["behaviour"] = name;
    }
    if (!noise_.empty()) attributes_["noise"] = fmt::format("{}", fmt::join(noise_, ","));
    if (random_steps_ > 0) attributes_["random_steps"] = fmt::format("{}", random_steps_);
}

void CollectActor::load_policy(const std::string& path, const envs::EnvironmentInfo& environment) {
    const std::vector<std::byte> bytes = read_bytes(path);
    policy_.emplace(bytes, path);
    if (static_cast<std::int64_t>(policy_->observation_size()) != environment.observation_size ||
        static_cast<std::int64_t>(policy_->action_size()) != environment.action_size) {
        throw Error(
            fmt::format("[collect] expected a policy of {} observations and {} actions for "
                        "environment '{}', got {} and {} in '{}'; name the environment "
                        "that the policy was trained for",
                        environment.observation_size, environment.action_size, environment.name,
                        policy_->observation_size(), policy_->action_size(), path));
    }
    attributes_["policy"] = path;
    attributes_["policy_sha256"] = sha256_of(bytes);
}

void CollectActor::disturb(std::uint64_t episode, std::uint64_t step,
                           std::span<float> action) const {
    const double level = noise_.empty() ? 0.0 : noise_[episode % noise_.size()];
    const bool random = random_steps_ > 0 && uniform_f64(seed_, stream_id("collect_choice"),
                                                         episode, step) < random_steps_;
    if (action_count_ > 0) {
        if (!random) return;
        action[0] = static_cast<float>(
            random_index(seed_, stream_id("collect_action"), episode, step, action_count_));
        return;
    }
    for (std::size_t j = 0; j < action.size(); ++j) {
        const double low = double{low_[j]}, high = double{high_[j]};
        const std::uint64_t element = step * action.size() + j;
        double a = double{action[j]};
        if (random) {
            const double u = uniform_f64(seed_, stream_id("collect_action"), episode, element);
            a = low + (high - low) * u;
        } else if (level > 0) {
            a += level * 0.5 * (high - low) *
                 normal_f64(seed_, stream_id("collect_noise"), episode, element);
        }
        action[j] = static_cast<float>(std::clamp(a, low, high));
    }
}

CollectHand::CollectHand(const CollectActor& actor) : actor_(actor) {
    if (actor.policy() != nullptr) context_.emplace(*actor.policy());
}

void CollectHand::begin(std::uint64_t episode) {
    episode_ = episode;
    step_ = 0;
    if (context_) context_->reset();
}

bool CollectHand::act(std::span<const float> observation, std::span<float> action) {
    bool fell_back = false;
    if (context_) {
        const drydock_act_status status = context_->act(observation, action);
        fell_back = status & (DRYDOCK_ACT_INPUT_NOT_FINITE | DRYDOCK_ACT_OUTPUT_NOT_FINITE);
    } else {
        actor_.behaviour()->act(observation, actor_.seed(), episode_, step_, action);
    }
    actor_.disturb(episode_, step_++, action);
    return fell_back;
}

}  // namespace drydock::training
