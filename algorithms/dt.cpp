#include "algorithms/dt.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/initialize.h"
#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/transformer.h"

namespace drydock::algorithms {
namespace {

// Tokens of a step, in this order; an action is predicted at its observation's.
constexpr std::int64_t kTokens = 3;
constexpr nn::Queries kEveryToken{}, kObservationTokens{1, kTokens};

// Biases start at 0 where weights do not start as in torch.nn.Linear.
Initializer biases_with(Initializer weights) {
    return weights == Initializer::pytorch_default ? weights : Initializer::zeros;
}

nn::TransformerBlockSpec block_spec(const DtSettings& s) {
    nn::TransformerBlockSpec b;
    b.width = s.embedding_dim;
    b.heads = s.heads;
    b.hidden = s.mlp_dim > 0 ? s.mlp_dim : 4 * s.embedding_dim;
    b.gelu = s.activation == "gelu";
    b.epsilon = s.layer_norm_epsilon;
    b.attention_dropout = s.attention_dropout.value_or(s.dropout);
    b.residual_dropout = s.residual_dropout.value_or(s.dropout);
    b.weights = parse_initializer(s.block_initializer);
    b.gain = b.weights == Initializer::normal ? s.initial_std : 1.0;
    b.biases = biases_with(b.weights);
    b.qkv = parse_initializer(s.qkv_initializer);
    b.qkv_gain = b.qkv == Initializer::normal ? s.initial_std : 1.0;
    b.qkv_biases = biases_with(b.qkv);
    return b;
}

nn::Linear::Spec outer_layer(const DtSettings& s, std::int64_t in, std::int64_t out,
                             Activation activation = Activation::none) {
    const Initializer weights = parse_initializer(s.embedding_initializer);
    const double gain = weights == Initializer::normal ? s.initial_std : 1.0;
    return {in, out, activation, weights, gain, biases_with(weights)};
}

class Dt final : public Algorithm {
  public:
    Dt(State& state, const DtSettings& settings);
    void record(Graph& g, const Batch& b, std::size_t variant) override;
    Tensor act(Graph& g, Tensor observations) override;
    Tensor act_windows(Graph& g, const Batch& windows) override;
    void initialize(std::uint64_t seed) override { group_.initialize(seed); }
    PolicyNetwork policy() const override;

  private:
    Tensor embed(const Batch& b, bool train) const;
    Tensor predict(const Batch& b, bool train) const;
    Tensor loss(Tensor predicted, const Batch& b) const;

    DtSettings s_;
    ParameterGroup& group_;
    nn::Linear embed_return_, embed_observation_, embed_action_;
    nn::Embedding embed_timestep_;
    nn::LayerNorm embed_norm_;
    std::vector<nn::TransformerBlock> blocks_;
    nn::LayerNorm final_norm_;
    nn::Linear predict_action_;
};

Dt::Dt(State& state, const DtSettings& settings)
    : s_(settings),
      group_(state.add_group("transformer")),
      embed_return_(group_, "embed_return", outer_layer(s_, 1, s_.embedding_dim)),
      embed_observation_(group_, "embed_observation",
                         outer_layer(s_, s_.observation_size, s_.embedding_dim)),
      embed_action_(group_, "embed_action", outer_layer(s_, s_.action_size, s_.embedding_dim)),
      embed_timestep_(group_, "embed_timestep", s_.timestep_rows, s_.embedding_dim,
                      s_.timestep_std),
      embed_norm_(group_, "embed_norm", s_.embedding_dim, s_.layer_norm_epsilon),
      blocks_([this] {
          std::vector<nn::TransformerBlock> blocks;
          for (std::int64_t k = 0; k < s_.layers; ++k) {
              blocks.emplace_back(group_, fmt::format("blocks.{}", k), block_spec(s_));
          }
          return blocks;
      }()),
      final_norm_(group_, "final_norm", s_.embedding_dim, s_.layer_norm_epsilon),
      predict_action_(group_, "predict_action",
                      outer_layer(s_, s_.embedding_dim, s_.action_size, Activation::tanh)) {
    group_.set_optimizer(
        make_optimizer(s_.adam, s_.learning_rate, s_.learning_rate_schedule, s_.common.max_steps));
}

// (R_1, s_1, a_1, R_2, ...): each modality by a layer of its own, plus a learned vector for the
// time step, which a step's three tokens share (section 3, "Architecture"). (3 B K, D)
Tensor Dt::embed(const Batch& b, bool train) const {
    const std::int64_t steps = b.mask.size();
    const Tensor time = embed_timestep_(reshape(b.timesteps, {steps}));
    const Tensor returns = embed_return_(reshape(b.returns_to_go, {steps, 1})) + time;
    const Tensor observations =
        embed_observation_(reshape(b.observations, {steps, s_.observation_size})) + time;
    const Tensor actions = embed_action_(reshape(b.actions, {steps, s_.action_size})) + time;
    const Tensor tokens = embed_norm_(interleave({returns, observations, actions}));
    const double rate = train ? s_.embedding_dropout.value_or(s_.dropout) : 0.0;
    return nn::dropout(tokens, rate, "embed_norm.dropout");
}

// The action of every step from its observation's token, which sees what came before it: (B K, A).
// Nothing reads what the last block would make of the other tokens, so it makes nothing of them.
Tensor Dt::predict(const Batch& b, bool train) const {
    const std::int64_t B = b.mask.shape()[0], K = b.mask.shape()[1];
    const Tensor per_step = reshape(b.mask, {B * K, 1});
    const Tensor mask = reshape(interleave({per_step, per_step, per_step}), {B, kTokens * K});
    Tensor x = embed(b, train);
    for (std::size_t k = 0; k < blocks_.size(); ++k) {
        const bool last = k + 1 == blocks_.size();
        x = blocks_[k](x, mask, last ? kObservationTokens : kEveryToken, train);
    }
    return predict_action_(final_norm_(x));
}

// Squared errors of the steps that are not padding. Their mean is over those (the authors), or over
// padding too (CORL).
Tensor Dt::loss(Tensor predicted, const Batch& b) const {
    const std::int64_t steps = b.mask.size();
    const Tensor actions = reshape(b.actions, {steps, s_.action_size});
    const Tensor errors = square(predicted - actions) * reshape(b.mask, {steps, 1});
    if (s_.loss_mean == "all") return mean(errors);
    return sum(errors) / (static_cast<double>(s_.action_size) * sum(b.mask));
}

void Dt::record(Graph& g, const Batch& b, std::size_t) {
    const double bound = s_.common.batch_action_bound;
    const Tensor unit = predict(b, true);
    const Tensor error = loss(in_bound(unit, bound), b);
    g.minimize(error, group_);
    g.metric("loss", error);
}

Tensor Dt::act(Graph&, Tensor) {
    throw Error(
        "[dt] expected windows: a Decision Transformer acts on what it remembers; call "
        "act_windows()");
}

Tensor Dt::act_windows(Graph&, const Batch& windows) {
    const Shape steps = windows.mask.shape();
    return reshape(predict(windows, false), {steps[0], steps[1], s_.action_size});
}

PolicyNetwork Dt::policy() const {
    PolicyNetwork network;
    network.kind = "decision_transformer";
    network.head = "deterministic_tanh";
    network.hidden_activation = s_.activation;
    network.target_returns = parse_returns(s_.target_returns);
    TransformerSpec& t = network.transformer.emplace();
    t.layers = s_.layers;
    t.heads = s_.heads;
    t.embedding_dim = s_.embedding_dim;
    t.mlp_dim = block_spec(s_).hidden;
    t.context_length = s_.context_length;
    t.episode_len = s_.episode_len;
    t.timestep_rows = s_.timestep_rows;
    t.activation = s_.activation;
    t.layer_norm_epsilon = s_.layer_norm_epsilon;
    t.reward_scale = s_.reward_scale;
    t.observation_size = s_.observation_size;
    t.action_size = s_.action_size;
    return network;
}

}  // namespace

std::unique_ptr<Algorithm> make_dt(State& state, const DtSettings& settings) {
    return std::make_unique<Dt>(state, settings);
}

}  // namespace drydock::algorithms
