#include "algorithms/iql.h"

#include <optional>

#include "nn/gaussian_actor.h"

namespace drydock::algorithms {
namespace {

nn::MlpSpec layers(const IqlSettings& s, const char* network,
                   Activation output = Activation::none) {
    nn::MlpSpec spec;
    spec.layer_sizes = s.layer_sizes.at(network);
    spec.output = output;
    nn::set_initializer(spec, s.initializer);
    return spec;
}

class Iql final : public Algorithm {
  public:
    Iql(State& state, const IqlSettings& settings);
    void record(Graph& g, const Batch& b, std::size_t variant) override;
    // Variant 1 averages the targets; with a period of 1 every update does.
    std::size_t variants() const override { return 2; }
    std::size_t variant_at(std::int64_t k) const override {
        return (k + 1) % s_.target_update_period == 0 ? 1 : 0;
    }
    Tensor act(Graph& g, Tensor observations) override;
    void initialize(std::uint64_t seed) override;
    PolicyNetwork policy() const override;

  private:
    Tensor imitation_loss(const Batch& b) const;

    IqlSettings s_;
    ParameterGroup &value_, &critics_, &critic_targets_, &actor_group_;
    nn::ScalarMlp v_, q1_, q2_, q1_target_, q2_target_;
    std::optional<nn::GaussianActor> gaussian_actor_;
    std::optional<nn::Mlp> deterministic_actor_;
};

Iql::Iql(State& state, const IqlSettings& settings)
    : s_(settings),
      value_(state.add_group("value")),
      critics_(state.add_group("critics")),
      critic_targets_(state.add_group("critic_targets", false)),
      actor_group_(state.add_group("actor")),
      v_(value_, "v", layers(s_, "v")),
      q1_(critics_, "q1", layers(s_, "q1")),
      q2_(critics_, "q2", layers(s_, "q2")),
      q1_target_(critic_targets_, "q1_target", layers(s_, "q1")),
      q2_target_(critic_targets_, "q2_target", layers(s_, "q2")) {
    if (s_.deterministic_policy) {
        deterministic_actor_.emplace(actor_group_, "actor", layers(s_, "actor", Activation::tanh));
    } else {
        gaussian_actor_.emplace(actor_group_, "actor", layers(s_, "actor"), s_.log_std_min,
                                s_.log_std_max);
    }
    const auto adam = [&](double learning_rate, const std::string& schedule) {
        return make_optimizer(s_.adam, learning_rate, schedule, s_.common.max_steps);
    };
    value_.set_optimizer(adam(s_.v_learning_rate, s_.learning_rate_schedule));
    critics_.set_optimizer(adam(s_.q_learning_rate, s_.learning_rate_schedule));
    actor_group_.set_optimizer(adam(s_.actor_learning_rate, s_.actor_learning_rate_schedule));
}

void Iql::record(Graph& g, const Batch& b, std::size_t variant) {
    const Tensor pairs = concat({b.observations, b.actions}, 1);
    // Both readings of V are from before its step: the order of CORL.
    const Tensor next_value = detach(v_(b.next_observations));

    // Value: expectile regression towards the smaller of the two target critics (eq. 5).
    const Tensor q = minimum(q1_target_(pairs), q2_target_(pairs));
    const Tensor advantage = q - v_(b.observations);
    const Tensor value_loss = expectile_loss(advantage, s_.expectile);
    g.minimize(value_loss, value_);
    g.metric("v_loss", value_loss);

    // Critics: one-step targets that never leave the data (eq. 6).
    const Tensor target = b.rewards + s_.discount * (1.0 - b.terminals) * next_value;
    const Tensor critic_loss = 0.5 * (mse(q1_(pairs), target) + mse(q2_(pairs), target));
    g.minimize(critic_loss, critics_);
    if (variant == 1) g.polyak(critics_, critic_targets_, s_.polyak);
    g.metric("q_loss", critic_loss);

    // Policy: advantage-weighted regression (eq. 7).
    const Tensor weight = minimum(exp(s_.temperature * detach(advantage)), s_.exp_advantage_max);
    const Tensor actor_loss = mean(weight * imitation_loss(b));
    g.minimize(actor_loss, actor_group_);
    g.metric("actor_loss", actor_loss);
}

// How far the policy is from each action of the batch: (B).
Tensor Iql::imitation_loss(const Batch& b) const {
    if (gaussian_actor_) return -gaussian_actor_->log_prob(b.observations, b.actions);
    return sum(square((*deterministic_actor_)(b.observations) - b.actions), 1);
}

Tensor Iql::act(Graph&, Tensor observations) {
    return gaussian_actor_ ? gaussian_actor_->mean(observations)
                           : (*deterministic_actor_)(observations);
}

void Iql::initialize(std::uint64_t seed) {
    value_.initialize(seed);
    critics_.initialize(seed);
    actor_group_.initialize(seed);
    critic_targets_.copy_from(critics_);
}

PolicyNetwork Iql::policy() const {
    return {"actor", s_.layer_sizes.at("actor"), "relu",
            s_.deterministic_policy ? "deterministic_tanh" : "tanh_mean"};
}

}  // namespace

std::unique_ptr<Algorithm> make_iql(State& state, const IqlSettings& settings) {
    return std::make_unique<Iql>(state, settings);
}

}  // namespace drydock::algorithms
