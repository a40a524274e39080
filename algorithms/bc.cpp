#include "algorithms/bc.h"

namespace drydock::algorithms {
namespace {

class Bc final : public Algorithm {
  public:
    Bc(State& state, const BcSettings& settings);
    void record(Graph& g, const Batch& b, std::size_t variant) override;
    Tensor act(Graph&, Tensor observations) override;
    void initialize(std::uint64_t seed) override { actor_group_.initialize(seed); }
    PolicyNetwork policy() const override {
        return {"actor", s_.networks.layer_sizes.at("actor"), "relu",
                choices() ? "argmax" : "deterministic_tanh"};
    }

  private:
    bool choices() const { return s_.common.action_count > 0; }

    BcSettings s_;
    ParameterGroup& actor_group_;
    nn::Mlp actor_;
};

nn::MlpSpec actor_spec(const BcSettings& s) {
    nn::MlpSpec spec = network_spec(
        s.networks, "actor", s.common.action_count > 0 ? Activation::none : Activation::tanh);
    spec.dropout = s.actor_dropout;
    return spec;
}

Bc::Bc(State& state, const BcSettings& settings)
    : s_(settings),
      actor_group_(state.add_group("actor")),
      actor_(actor_group_, "actor", actor_spec(s_)) {
    const std::string& schedule =
        actor_schedule(s_.actor_learning_rate_schedule, s_.learning_rate_schedule);
    const auto& rate = s_.actor_learning_rate ? s_.actor_learning_rate : s_.learning_rate;
    actor_group_.set_optimizer(
        make_optimizer(s_.adam, rate.value(), schedule, s_.common.max_steps));
}

// Choices: the mean of -log softmax(actor(s))[a]. Real actions: the mean over the batch and the
// action's dimensions of the squared error.
void Bc::record(Graph& g, const Batch& b, std::size_t) {
    const double bound = s_.common.batch_action_bound;
    const Tensor out = actor_.train(b.observations);
    const Tensor loss = choices() ? mean(cross_entropy(out, reshape(b.actions, {b.actions.size()})))
                                  : mse(in_bound(out, bound), b.actions);
    g.minimize(loss, actor_group_);
    g.metric("actor_loss", loss);
}

Tensor Bc::act(Graph&, Tensor observations) {
    const Tensor out = actor_(observations);
    return choices() ? reshape(argmax(out), {out.shape()[0], 1}) : out;
}

}  // namespace

std::unique_ptr<Algorithm> make_bc(State& state, const BcSettings& settings) {
    return std::make_unique<Bc>(state, settings);
}

}  // namespace drydock::algorithms
