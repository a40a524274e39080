#include "algorithms/cql.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "nn/squashed_gaussian_actor.h"
#include "nn/state_action_critic.h"

namespace drydock::algorithms {
namespace {

using nn::SquashedGaussianActor;
using nn::StateActionCritic;

constexpr double kMultiplierMax = 1e6;

class Cql final : public Algorithm {
  public:
    Cql(State& state, const CqlSettings& settings);
    void record(Graph& g, const Batch& b, std::size_t variant) override;
    // Bit 0: the targets are averaged. Bit 1: the policy imitates the data.
    std::size_t variants() const override { return s_.bc_steps > 0 ? 4 : 2; }
    std::size_t variant_at(std::int64_t k) const override {
        return ((k + 1) % s_.target_update_period == 0 ? 1 : 0) + (k < s_.bc_steps ? 2 : 0);
    }
    Tensor act(Graph& g, Tensor observations) override;
    Tensor value(Graph& g, Tensor observations) override;
    bool predicts_value() const override { return true; }
    Tensor explore(Graph&, Tensor observations, Tensor noise) override {
        return actor_->network.sample(actor_->network.head(observations), noise).actions;
    }
    void initialize(std::uint64_t seed) override;
    PolicyNetwork policy() const override;
    std::string advice(const std::string& metric) const override { return cql_advice(metric); }

  private:
    // A learned scalar e^x and the group that holds x.
    struct Scalar {
        ParameterGroup& group;
        Tensor log(Graph& g) const { return g.parameter(group, 0); }
    };
    struct Actor {
        ParameterGroup& group;
        SquashedGaussianActor network;
        Scalar temperature, multiplier;
    };
    // Actions that are not the data's, (B, m, A), and their log-densities, (B, m).
    struct Candidates {
        Tensor actions, log_density;
    };
    // One batch's view of the policy, at s and at s'.
    struct Policies {
        SquashedGaussianActor::Head now, next;
        Tensor alpha;  // before its step
    };

    void add_actor(State& state);
    SquashedGaussianActor::Sample draw(Graph& g, const SquashedGaussianActor::Head& head,
                                       const char* stream, std::int64_t n) const;
    Tensor uniform_actions(Graph& g, const char* stream, std::int64_t n, std::int64_t rows) const;
    Tensor target_values(Graph& g, const Batch& b, const std::optional<Policies>& p) const;
    Tensor smaller(Tensor observations, Tensor actions) const;
    Tensor best_value(Tensor next, Tensor actions, Tensor penalty) const;
    Candidates candidates(Graph& g, const std::optional<Policies>& p) const;
    Tensor conservative_gap(Tensor values, const Candidates& c) const;
    Tensor conservative_term(Tensor gap, Tensor alpha_prime) const;
    Tensor actor_loss(const Batch& b, const Policies& p,
                      const SquashedGaussianActor::Sample& sample, Tensor alpha,
                      bool imitate) const;
    Tensor temperature(Graph& g) const;
    void tune_alpha(Graph& g, Tensor log_prob) const;
    double bound() const { return s_.common.batch_action_bound; }

    CqlSettings s_;
    std::int64_t batch_, action_size_;
    ParameterGroup &critic_group_, &target_group_;
    std::vector<StateActionCritic> critics_, targets_;
    std::optional<Actor> actor_;
};

Cql::Cql(State& state, const CqlSettings& settings)
    : s_(settings),
      batch_(s_.common.batch_size),
      action_size_(s_.action_size),
      critic_group_(state.add_group("critics")),
      target_group_(state.add_group("critic_targets", false)) {
    for (std::int64_t i = 1; i <= s_.critics; ++i) {
        const std::string name = fmt::format("q{}", i);
        const nn::MlpSpec spec = network_spec(s_, name);
        critics_.emplace_back(critic_group_, name, spec, action_size_);
        targets_.emplace_back(target_group_, name + "_target", spec, action_size_);
    }
    critic_group_.set_optimizer(make_optimizer(s_.adam, s_.q_learning_rate,
                                               s_.learning_rate_schedule, s_.common.max_steps));
    if (s_.policy == "actor") add_actor(state);
}

void Cql::add_actor(State& state) {
    const auto scalar = [&](const char* group, const char* name, double value, double rate) {
        ParameterGroup& one = state.add_group(group);
        one.add({name, {}, Initializer::ones, value});
        one.set_optimizer(
            make_optimizer(s_.adam, rate, s_.learning_rate_schedule, s_.common.max_steps));
        return Scalar{one};
    };
    ParameterGroup& group = state.add_group("actor");
    ParameterGroup& scale =
        s_.log_std_scale_learned ? group : state.add_group("actor_scale", false);
    nn::SquashedGaussianSpec spec;
    spec.mlp = network_spec(s_, "actor");
    spec.log_std_min = s_.log_std_min;
    spec.log_std_max = s_.log_std_max;
    spec.log_std_multiplier = s_.log_std_multiplier_init;
    spec.log_std_offset = s_.log_std_offset_init;
    spec.density =
        s_.tanh_log_density == "exact" ? nn::TanhLogDensity::exact : nn::TanhLogDensity::epsilon;
    spec.scored_mean_limit = s_.scored_mean_limit;
    actor_.emplace(
        Actor{group, SquashedGaussianActor(group, scale, "actor", spec),
              scalar("temperature", "log_alpha", s_.log_alpha_init, s_.alpha_learning_rate),
              scalar("multiplier", "log_alpha_prime", s_.log_alpha_prime_init,
                     s_.alpha_prime_learning_rate)});
    group.set_optimizer(make_optimizer(s_.adam, s_.actor_learning_rate,
                                       s_.actor_learning_rate_schedule, s_.common.max_steps));
}

// All losses at the weights from before the update, then the steps; the settings move the actor's.
void Cql::record(Graph& g, const Batch& b, std::size_t variant) {
    const bool imitate = variant & 2;
    std::optional<Policies> p;
    SquashedGaussianActor::Sample sample;  // a ~ pi(s)
    if (actor_) {
        p = Policies{actor_->network.head(b.observations),
                     actor_->network.head(b.next_observations), temperature(g)};
        g.metric("alpha", p->alpha);
        sample = draw(g, p->now, "policy_action", 0);
    }

    // Critics: one-step errors, and the gap between what they say of other actions and of the
    // data's (eq. 4), each in one pass per critic over all actions of a state, the data's first.
    const Tensor target =
        b.rewards + s_.discount * (1.0 - b.terminals) * detach(target_values(g, b, p));
    const Candidates others = candidates(g, p);
    const Tensor data = reshape(b.actions, {batch_, 1, action_size_});
    const Tensor alpha_prime =
        s_.lagrange ? clamp(exp(actor_->multiplier.log(g)), 0.0, kMultiplierMax) : Tensor();
    // Before the terms that it multiplies: the first metric that is not finite is the one reported.
    if (actor_) g.metric("alpha_prime", s_.lagrange ? alpha_prime : fill(g, {}, 0.0));
    Tensor td_losses, terms;
    for (std::size_t i = 0; i < critics_.size(); ++i) {
        const Tensor values =
            critics_[i](critics_[i].encode(b.observations), concat({data, others.actions}, 1));
        const Tensor td = mse(reshape(slice(values, 1, 0, 1), {batch_}), target);
        const Tensor term = conservative_term(conservative_gap(values, others), alpha_prime);
        const std::string q = fmt::format("q{}", i + 1);
        g.metric(q + "_td_loss", td);
        g.metric(q + "_conservative_loss", term);
        td_losses = td_losses ? td_losses + td : td;
        terms = terms ? terms + term : term;
    }
    const Tensor critic_loss = td_losses + terms;

    // Steps. The multiplier grows where the gap is above its target (section 3.2, eq. 30).
    if (s_.lagrange) g.minimize(-0.5 * terms, actor_->multiplier.group);
    if (actor_ && s_.automatic_entropy_tuning) tune_alpha(g, sample.log_prob);
    const auto step_actor = [&] {
        if (!actor_) return;
        const Tensor alpha = s_.alpha_for_actor == "after_step" ? temperature(g) : p->alpha;
        const Tensor loss = actor_loss(b, *p, sample, alpha, imitate);
        g.minimize(loss, actor_->group);
        g.metric("actor_loss", loss);
    };
    if (s_.critics_for_actor == "before_step") step_actor();
    g.minimize(critic_loss, critic_group_);
    if (s_.critics_for_actor == "after_step") step_actor();
    if (variant & 1) g.polyak(critic_group_, target_group_, s_.polyak);
}

// n samples of each state's policy, (B, n, A); n = 0: one, (B, A). Within the data's bound.
SquashedGaussianActor::Sample Cql::draw(Graph& g, const SquashedGaussianActor::Head& head,
                                        const char* stream, std::int64_t n) const {
    const Shape shape = n > 0 ? Shape{batch_, n, action_size_} : Shape{batch_, action_size_};
    SquashedGaussianActor::Sample sample =
        actor_->network.sample(head, g.random_normal(stream, shape));
    sample.actions = in_bound(sample.actions, bound());
    return sample;
}

Tensor Cql::uniform_actions(Graph& g, const char* stream, std::int64_t n, std::int64_t rows) const {
    return g.random_uniform(stream, {rows, n, action_size_}, -1.0, 1.0);
}

// V(s'): the targets' values of the policy's action there, or of the best of several.
Tensor Cql::target_values(Graph& g, const Batch& b, const std::optional<Policies>& p) const {
    Tensor actions, penalty;
    if (s_.target_actions == "uniform") {
        actions = uniform_actions(g, "target_random_actions", s_.n_actions, batch_);
    } else {
        const std::int64_t n = s_.max_target_backup ? s_.n_actions : 0;
        const auto next = draw(g, p->next, "target_action", n);
        const Shape several{batch_, std::max<std::int64_t>(n, 1), action_size_};
        actions = reshape(next.actions, several);
        if (s_.backup_entropy) {
            penalty = p->alpha * reshape(next.log_prob, {several[0], several[1]});
        }
    }
    return best_value(b.next_observations, actions, penalty);
}

// Over actions the largest, over critics the smallest value: (B, n, A) -> (B). `penalty` (B, n), if
// any, is subtracted from the value that was chosen without it.
Tensor Cql::best_value(Tensor next, Tensor actions, Tensor penalty) const {
    std::vector<Tensor> values;
    for (const StateActionCritic& q : targets_) values.push_back(q(q.encode(next), actions));
    const auto smaller = [&] {
        return values.size() == 1 ? values[0] : minimum(values[0], values[1]);
    };
    if (s_.max_target_order == "max_then_min") {
        for (Tensor& v : values) v = max(v, 1);
        return smaller();
    }
    const Tensor least = smaller();
    if (!penalty) return max(least, 1);
    return sum(one_hot(argmax(least), least.shape()[1]) * (least - penalty), 1);
}

// Uniform actions, the policy's at s and the policy's at s': all are judged at s. Nothing flows
// back into the policy.
Cql::Candidates Cql::candidates(Graph& g, const std::optional<Policies>& p) const {
    const std::int64_t n = s_.n_actions;
    const Tensor random = uniform_actions(g, "random_actions", n, batch_);
    if (s_.conservative_term == "mean_difference") return {random, {}};
    const double uniform_density = std::log(0.5) * static_cast<double>(action_size_);
    const auto now = draw(g, p->now, "current_actions", n);
    const auto next = draw(g, p->next, "next_actions", n);
    return {
        detach(concat({random, next.actions, now.actions}, 1)),
        detach(concat({fill(g, {batch_, n}, uniform_density), next.log_prob, now.log_prob}, 1))};
}

// mean over the batch of T logsumexp((Q - log density) / T) - Q(data); the data's value is the
// first of each row.
Tensor Cql::conservative_gap(Tensor values, const Candidates& c) const {
    const std::int64_t all = values.shape()[1];
    const Tensor others = slice(values, 1, 1, all);
    Tensor high;
    if (s_.conservative_term == "mean_difference") {
        high = mean(others, 1);
    } else {
        const Tensor set = s_.importance_sample ? others - c.log_density : values;
        high = s_.cql_temperature * logsumexp(set / s_.cql_temperature, 1);
    }
    Tensor difference = high - reshape(slice(values, 1, 0, 1), {batch_});
    if (std::isfinite(s_.clip_difference_min) || std::isfinite(s_.clip_difference_max)) {
        difference = clamp(difference, s_.clip_difference_min, s_.clip_difference_max);
    }
    return mean(difference);
}

// The gap as it is added to a critic's loss.
Tensor Cql::conservative_term(Tensor gap, Tensor alpha_prime) const {
    if (!s_.lagrange) return s_.cql_alpha * gap;
    const Tensor excess = s_.weighted_action_gap ? s_.cql_alpha * (gap - s_.target_action_gap)
                                                 : s_.cql_alpha * gap - s_.target_action_gap;
    return alpha_prime * excess;
}

// E[alpha log pi(a|s) - min Q(s, a)], a ~ pi; while imitating, log pi(a_data|s) instead of Q.
Tensor Cql::actor_loss(const Batch& b, const Policies& p,
                       const SquashedGaussianActor::Sample& sample, Tensor alpha,
                       bool imitate) const {
    const Tensor entropy_cost = detach(alpha) * sample.log_prob;
    if (imitate) {
        const Tensor data = bound() == 1.0 ? b.actions : b.actions / bound();
        return mean(entropy_cost - actor_->network.log_prob(p.now, data));
    }
    return mean(entropy_cost - smaller(b.observations, sample.actions));
}

// The smallest of the critics' values of one action a state: (N, S), (N, A) -> (N).
Tensor Cql::smaller(Tensor observations, Tensor actions) const {
    const std::int64_t rows = observations.shape()[0];
    Tensor q;
    for (const StateActionCritic& critic : critics_) {
        const Tensor value =
            critic(critic.encode(observations), reshape(actions, {rows, 1, action_size_}));
        q = q ? minimum(q, value) : value;
    }
    return reshape(q, {rows});
}

// alpha as it is at this point of the update.
Tensor Cql::temperature(Graph& g) const {
    if (!s_.automatic_entropy_tuning) return fill(g, {}, s_.alpha_multiplier);
    return s_.alpha_multiplier * exp(actor_->temperature.log(g));
}

// Raises alpha where the policy's entropy is below its target.
void Cql::tune_alpha(Graph& g, Tensor log_prob) const {
    const double target = s_.target_entropy.value_or(-static_cast<double>(action_size_));
    const Tensor excess = detach(log_prob) + target;
    g.minimize(-mean(actor_->temperature.log(g) * excess), actor_->temperature.group);
}

Tensor Cql::act(Graph& g, Tensor observations) {
    if (actor_) return actor_->network.mean_action(observations);
    const std::int64_t rows = observations.shape()[0], n = s_.policy_samples;
    const Tensor actions = uniform_actions(g, "policy_samples", n, rows);
    const Tensor values = critics_[0](critics_[0].encode(observations), actions);
    return sum(reshape(one_hot(argmax(values), n), {rows, n, 1}) * actions, 1);
}

Tensor Cql::value(Graph& g, Tensor observations) {
    return smaller(observations, act(g, observations));
}

void Cql::initialize(std::uint64_t seed) {
    for (ParameterGroup& group : critic_group_.state().groups()) group.initialize(seed);
    target_group_.copy_from(critic_group_);
}

PolicyNetwork Cql::policy() const {
    PolicyNetwork network;
    network.name = actor_ ? "actor" : "q1";
    network.layer_sizes = s_.networks.layer_sizes.at(network.name);
    network.hidden_activation = "relu";
    if (actor_) {
        network.head = "tanh_mean";
        network.outputs = action_size_;
    } else {
        network.kind = "best_of_n";
        network.samples = s_.policy_samples;
    }
    return network;
}

}  // namespace

std::unique_ptr<Algorithm> make_cql(State& state, const CqlSettings& settings) {
    return std::make_unique<Cql>(state, settings);
}

}  // namespace drydock::algorithms
