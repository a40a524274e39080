#include "algorithms/td3bc.h"

#include <algorithm>

#include "nn/twin_critic.h"

namespace drydock::algorithms {
namespace {

class Td3Bc final : public Algorithm {
  public:
    Td3Bc(State& state, const Td3BcSettings& settings);
    void record(Graph& g, const Batch& b, std::size_t variant) override;
    // Variant 1 steps the actor and averages the targets as well.
    std::size_t variants() const override { return 2; }
    std::size_t variant_at(std::int64_t k) const override {
        return (k + 1) % s_.policy_period == 0 ? 1 : 0;
    }
    Tensor act(Graph&, Tensor observations) override { return actor_(observations); }
    Tensor value(Graph& g, Tensor observations) override {
        return q_.smaller(concat({observations, act(g, observations)}, 1));
    }
    bool predicts_value() const override { return true; }
    void initialize(std::uint64_t seed) override;
    PolicyNetwork policy() const override {
        return {"actor", s_.networks.layer_sizes.at("actor"), "relu", "deterministic_tanh"};
    }

  private:
    Tensor next_actions(Graph& g, const Batch& b) const;
    void step_actor(Graph& g, const Batch& b);

    Td3BcSettings s_;
    double bound_;  // of the batch's actions
    ParameterGroup &critics_, &critic_targets_, &actor_group_, &actor_targets_;
    nn::TwinCritic q_, target_q_;
    nn::Mlp actor_, target_actor_;
};

Td3Bc::Td3Bc(State& state, const Td3BcSettings& settings)
    : s_(settings),
      bound_(s_.common.batch_action_bound),
      critics_(state.add_group("critics")),
      critic_targets_(state.add_group("critic_targets", false)),
      actor_group_(state.add_group("actor")),
      actor_targets_(state.add_group("actor_target", false)),
      q_(critics_, "", network_spec(s_.networks, "q1"), network_spec(s_.networks, "q2")),
      target_q_(critic_targets_, "_target", network_spec(s_.networks, "q1"),
                network_spec(s_.networks, "q2")),
      actor_(actor_group_, "actor", network_spec(s_.networks, "actor", Activation::tanh)),
      target_actor_(actor_targets_, "actor_target",
                    network_spec(s_.networks, "actor", Activation::tanh)) {
    const auto adam = [&](const std::optional<double>& rate, const std::string& schedule,
                          std::int64_t steps) {
        return make_optimizer(s_.adam, rate ? *rate : s_.learning_rate.value(), schedule, steps);
    };
    critics_.set_optimizer(
        adam(s_.q_learning_rate, s_.learning_rate_schedule, s_.common.max_steps));
    // A schedule counts steps, of which the actor takes fewer.
    actor_group_.set_optimizer(
        adam(s_.actor_learning_rate,
             actor_schedule(s_.actor_learning_rate_schedule, s_.learning_rate_schedule),
             std::max<std::int64_t>(1, s_.common.max_steps / s_.policy_period)));
}

// The target policy's actions with clipped noise: target policy smoothing (TD3, section 5.3).
Tensor Td3Bc::next_actions(Graph& g, const Batch& b) const {
    const Tensor draws = g.random_normal("target_policy", b.actions.shape());
    const double clip = s_.noise_clip * bound_;
    const Tensor noise = clamp(s_.policy_noise * bound_ * draws, -clip, clip);
    return clamp(in_bound(target_actor_(b.next_observations), bound_) + noise, -bound_, bound_);
}

void Td3Bc::record(Graph& g, const Batch& b, std::size_t variant) {
    // Critics: the smaller of both targets at the smoothed target policy's action (TD3, eq. 14).
    const Tensor next = concat({b.next_observations, next_actions(g, b)}, 1);
    const Tensor target =
        detach(b.rewards + s_.discount * (1.0 - b.terminals) * target_q_.smaller(next));
    const Tensor pairs = concat({b.observations, b.actions}, 1);
    const Tensor critic_loss = mse(q_.q1(pairs), target) + mse(q_.q2(pairs), target);
    g.minimize(critic_loss, critics_);
    g.metric("q_loss", critic_loss);
    if (variant == 1) step_actor(g, b);
}

// Policy: as good as the first critic says, and close to the data (eq. 3); lambda makes the first
// term's size that of alpha, whatever the rewards' (eq. 5).
void Td3Bc::step_actor(Graph& g, const Batch& b) {
    const Tensor actions = in_bound(actor_(b.observations), bound_);
    const Tensor q = q_.q1(concat({b.observations, actions}, 1));
    const Tensor lambda = s_.alpha / detach(mean(abs(q)));
    const Tensor actor_loss = mse(actions, b.actions) - lambda * mean(q);
    g.minimize(actor_loss, actor_group_);
    g.metric("actor_loss", actor_loss);
    g.polyak(critics_, critic_targets_, s_.polyak);
    g.polyak(actor_group_, actor_targets_, s_.polyak);
}

void Td3Bc::initialize(std::uint64_t seed) {
    critics_.initialize(seed);
    actor_group_.initialize(seed);
    critic_targets_.copy_from(critics_);
    actor_targets_.copy_from(actor_group_);
}

}  // namespace

std::unique_ptr<Algorithm> make_td3bc(State& state, const Td3BcSettings& settings) {
    return std::make_unique<Td3Bc>(state, settings);
}

}  // namespace drydock::algorithms
