#include "algorithms/discrete_cql.h"

namespace drydock::algorithms {
namespace {

class DiscreteCql final : public Algorithm {
  public:
    DiscreteCql(State& state, const DiscreteCqlSettings& settings);
    void record(Graph& g, const Batch& b, std::size_t variant) override;
    // Variant 1 moves the target.
    std::size_t variants() const override { return 2; }
    std::size_t variant_at(std::int64_t k) const override {
        return (k + 1) % s_.target_update_period == 0 ? 1 : 0;
    }
    Tensor act(Graph&, Tensor observations) override;
    void initialize(std::uint64_t seed) override;
    PolicyNetwork policy() const override;

  private:
    std::int64_t choices() const { return s_.common.action_count; }
    std::int64_t atoms() const { return s_.head == "quantile" ? s_.quantiles : 1; }
    Tensor returns(const nn::Mlp& network, Tensor observations) const;
    Tensor next_returns(const Batch& b) const;
    Tensor td_loss(Tensor predicted, Tensor target) const;

    DiscreteCqlSettings s_;
    ParameterGroup &critic_, &critic_target_;
    nn::Mlp q_, target_;
};

DiscreteCql::DiscreteCql(State& state, const DiscreteCqlSettings& settings)
    : s_(settings),
      critic_(state.add_group("critic")),
      critic_target_(state.add_group("critic_target", false)),
      q_(critic_, "q", network_spec(s_.networks, "q")),
      target_(critic_target_, "q_target", network_spec(s_.networks, "q")) {
    critic_.set_optimizer(
        make_optimizer(s_.adam, s_.learning_rate, s_.learning_rate_schedule, s_.common.max_steps));
}

// The returns of each choice: one number, or equally likely ones: (N, S) -> (N, choices, atoms).
Tensor DiscreteCql::returns(const nn::Mlp& network, Tensor observations) const {
    return reshape(network(observations), {observations.shape()[0], choices(), atoms()});
}

// What follows after s' of the choice that is best there: (B, atoms).
Tensor DiscreteCql::next_returns(const Batch& b) const {
    const Tensor judged = returns(target_, b.next_observations);
    const Tensor choosing = s_.double_dqn ? returns(q_, b.next_observations) : judged;
    return pick(judged, argmax(mean(choosing, 2)));
}

Tensor DiscreteCql::td_loss(Tensor predicted, Tensor target) const {
    if (s_.head == "quantile") return quantile_huber_loss(predicted, target, s_.huber_threshold);
    if (s_.td_error == "squared") return mse(predicted, target);
    return mean(huber(target - predicted, s_.huber_threshold));
}

void DiscreteCql::record(Graph& g, const Batch& b, std::size_t variant) {
    const std::int64_t B = b.observations.shape()[0];
    const auto column = [&](Tensor x) { return reshape(x, {B, 1}); };
    const Tensor taken = reshape(b.actions, {B});

    // One-step error of the choices that were taken.
    const Tensor q = returns(q_, b.observations);
    const Tensor target =
        column(b.rewards) + s_.discount * column(1.0 - b.terminals) * detach(next_returns(b));
    const Tensor td = td_loss(pick(q, taken), target);

    // The gap between a soft maximum over all choices and those of the data (eq. 4).
    const Tensor values = mean(q, 2);
    const Tensor term = s_.cql_alpha * mean(cross_entropy(values, taken));

    g.minimize(td + term, critic_);
    g.metric("td_loss", td);
    g.metric("conservative_loss", term);
    if (variant == 1) g.polyak(critic_, critic_target_, s_.polyak);
}

Tensor DiscreteCql::act(Graph&, Tensor observations) {
    const Tensor values = mean(returns(q_, observations), 2);
    return reshape(argmax(values), {observations.shape()[0], 1});
}

void DiscreteCql::initialize(std::uint64_t seed) {
    critic_.initialize(seed);
    critic_target_.copy_from(critic_);
}

PolicyNetwork DiscreteCql::policy() const {
    PolicyNetwork network{"q", s_.networks.layer_sizes.at("q"), "relu", "argmax"};
    if (s_.head == "quantile") network.quantiles = s_.quantiles;
    return network;
}

}  // namespace

std::unique_ptr<Algorithm> make_discrete_cql(State& state, const DiscreteCqlSettings& settings) {
    return std::make_unique<DiscreteCql>(state, settings);
}

}  // namespace drydock::algorithms
