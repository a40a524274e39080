#include "algorithms/iql.h"

#include <cmath>
#include <optional>

#include "nn/gaussian_actor.h"
#include "nn/twin_critic.h"

namespace drydock::algorithms {
namespace {

class Iql final : public Algorithm {
  public:
    Iql(State& state, const IqlSettings& settings);
    void record(Graph& g, const Batch& b, std::size_t variant) override;
    // Variant 1 averages the targets; with a period of 1 every update does.
    std::size_t variants() const override { return s_.target_critics ? 2 : 1; }
    std::size_t variant_at(std::int64_t k) const override {
        return s_.target_critics && (k + 1) % s_.target_update_period == 0 ? 1 : 0;
    }
    Tensor act(Graph& g, Tensor observations) override;
    Tensor value(Graph& g, Tensor observations) override {
        return q_.smaller(concat({observations, act(g, observations)}, 1));
    }
    bool predicts_value() const override { return true; }
    Tensor explore(Graph& g, Tensor observations, Tensor noise) override;
    void initialize(std::uint64_t seed) override;
    PolicyNetwork policy() const override;

  private:
    const nn::TwinCritic& judges() const { return targets_ ? *targets_ : q_; }
    Tensor imitation_loss(const Batch& b) const;

    IqlSettings s_;
    ParameterGroup &value_, &critics_, *critic_targets_, &actor_group_;
    nn::ScalarMlp v_;
    nn::TwinCritic q_;
    std::optional<nn::TwinCritic> targets_;
    std::optional<nn::GaussianActor> gaussian_actor_;
    std::optional<nn::Mlp> deterministic_actor_;
};

Iql::Iql(State& state, const IqlSettings& settings)
    : s_(settings),
      value_(state.add_group("value")),
      critics_(state.add_group("critics")),
      critic_targets_(s_.target_critics ? &state.add_group("critic_targets", false) : nullptr),
      actor_group_(state.add_group("actor")),
      v_(value_, "v", network_spec(s_.networks, "v")),
      q_(critics_, "", network_spec(s_.networks, "q1"), network_spec(s_.networks, "q2")) {
    if (s_.target_critics) {
        targets_.emplace(*critic_targets_, "_target", network_spec(s_.networks, "q1"),
                         network_spec(s_.networks, "q2"));
    }
    nn::MlpSpec actor = network_spec(s_.networks, "actor", Activation::tanh);
    actor.dropout = s_.actor_dropout;
    if (s_.deterministic_policy) {
        deterministic_actor_.emplace(actor_group_, "actor", actor);
    } else {
        gaussian_actor_.emplace(actor_group_, "actor", actor, s_.log_std_min, s_.log_std_max);
    }
    const auto adam = [&](double learning_rate, const std::string& schedule) {
        return make_optimizer(s_.adam, learning_rate, schedule, s_.common.max_steps);
    };
    value_.set_optimizer(adam(s_.v_learning_rate, s_.learning_rate_schedule));
    critics_.set_optimizer(adam(s_.q_learning_rate, s_.learning_rate_schedule));
    actor_group_.set_optimizer(adam(s_.actor_learning_rate, s_.actor_learning_rate_schedule));
}

// The three losses in the order of their steps. A network read below its step is the new one.
void Iql::record(Graph& g, const Batch& b, std::size_t variant) {
    const Tensor pairs = concat({b.observations, b.actions}, 1);
    Tensor next_value = detach(v_(b.next_observations));

    // Value: expectile regression towards the smaller of the two critics' values (eq. 5).
    const Tensor q = detach(judges().smaller(pairs));
    Tensor advantage = q - v_(b.observations);
    const Tensor value_loss = expectile_loss(advantage, s_.expectile);
    g.minimize(value_loss, value_);
    g.metric("v_loss", value_loss);
    if (s_.value_for_targets == "after_step") next_value = detach(v_(b.next_observations));
    if (s_.advantage_from == "after_value_step") advantage = q - v_(b.observations);

    // Critics: one-step targets that never leave the data (eq. 6).
    const Tensor target = b.rewards + s_.discount * (1.0 - b.terminals) * next_value;
    const Tensor errors = mse(q_.q1(pairs), target) + mse(q_.q2(pairs), target);
    const Tensor critic_loss = s_.critic_loss == "average" ? 0.5 * errors : errors;
    g.minimize(critic_loss, critics_);
    if (variant == 1) g.polyak(critics_, *critic_targets_, s_.polyak);
    g.metric("q_loss", critic_loss);
    if (s_.advantage_from == "after_all_steps") {
        advantage = judges().smaller(pairs) - v_(b.observations);
    }

    // Policy: advantage-weighted regression (eq. 7).
    const Tensor weight = minimum(exp(s_.temperature * detach(advantage)), s_.exp_advantage_max);
    const Tensor actor_loss = mean(weight * imitation_loss(b));
    g.minimize(actor_loss, actor_group_);
    g.metric("actor_loss", actor_loss);
}

// How far the policy is from each action of the batch: (B).
Tensor Iql::imitation_loss(const Batch& b) const {
    if (gaussian_actor_) return -gaussian_actor_->log_prob(b.observations, b.actions);
    return sum(square(deterministic_actor_->train(b.observations) - b.actions), 1);
}

Tensor Iql::act(Graph&, Tensor observations) {
    return gaussian_actor_ ? gaussian_actor_->mean(observations)
                           : (*deterministic_actor_)(observations);
}

// A Gaussian policy is sampled as it is; a deterministic one gets noise of its own.
Tensor Iql::explore(Graph& g, Tensor observations, Tensor noise) {
    if (gaussian_actor_) return gaussian_actor_->sample(observations, noise);
    const double bound = s_.exploration_noise_clip;
    const Tensor scaled = s_.exploration_noise * noise;
    return act(g, observations) + (std::isfinite(bound) ? clamp(scaled, -bound, bound) : scaled);
}

void Iql::initialize(std::uint64_t seed) {
    value_.initialize(seed);
    critics_.initialize(seed);
    actor_group_.initialize(seed);
    if (critic_targets_) critic_targets_->copy_from(critics_);
}

PolicyNetwork Iql::policy() const {
    return {"actor", s_.networks.layer_sizes.at("actor"), "relu",
            s_.deterministic_policy ? "deterministic_tanh" : "tanh_mean"};
}

}  // namespace

std::unique_ptr<Algorithm> make_iql(State& state, const IqlSettings& settings) {
    return std::make_unique<Iql>(state, settings);
}

}  // namespace drydock::algorithms
