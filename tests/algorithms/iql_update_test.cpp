// IQL's presets against their updates written out by hand, each in the order of its source.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <functional>

#include "tests/algorithms/run.h"

namespace drydock::test {
namespace {

using algorithms::make_recipe;
using algorithms::Recipe;

constexpr double kRate = 0.01;
constexpr double kMaxSteps = 5;

// The networks and the batch of one run, as plain numbers.
struct OracleIql {
    Net v, q1, q2, q1_target, q2_target, actor;
    Row log_std;
    AdamState log_std_adam;
    SmallData data;
    double discount = 0.99, expectile, temperature, polyak = 0.005, log_std_min;
    double dropout = 0;
    bool deterministic = false, cosine = true;
    // Losses of the last update, and how many weights met the cap so far.
    double v_loss = 0, q_loss = 0, actor_loss = 0;
    int capped = 0;

    explicit OracleIql(SmallRun& run) {
        v = run.network("v");
        q1 = run.network("q1");
        q2 = run.network("q2");
        q1_target = run.network("q1_target");
        q2_target = run.network("q2_target");
        actor = run.network("actor", true);
        if (run.has("actor.log_std")) log_std = run.parameter("actor.log_std");
    }

    Row row(const Values& column, std::int64_t i, std::int64_t width) const {
        return {column.begin() + i * width, column.begin() + (i + 1) * width};
    }
    // The rows of update k.
    Rows s, a, next_s, sa;
    Row r, d;
    void take_batch(std::int64_t k) {
        s = a = next_s = sa = {};
        r = d = {};
        for (std::int64_t b = 0; b < kBatch; ++b) {
            const std::int64_t i = data.rows[static_cast<std::size_t>(k * kBatch + b)];
            s.push_back(row(data.observations, i, kObservations));
            a.push_back(row(data.actions, i, kActions));
            next_s.push_back(row(data.next_observations, i, kObservations));
            r.push_back(data.rewards[static_cast<std::size_t>(i)]);
            d.push_back(data.terminals[static_cast<std::size_t>(i)]);
            sa.push_back(s.back());
            sa.back().insert(sa.back().end(), a.back().begin(), a.back().end());
        }
    }

    Row values(const Net& net, const Rows& inputs) const {
        Row out;
        for (const Row& x : inputs) out.push_back(net.value(x));
        return out;
    }
    Row smaller(const Net& first, const Net& second) const {
        const Row x = values(first, sa), y = values(second, sa);
        Row out;
        for (std::size_t b = 0; b < x.size(); ++b) out.push_back(x[b] < y[b] ? x[b] : y[b]);
        return out;
    }
    static Row minus(const Row& x, const Row& y) {
        Row out = x;
        for (std::size_t i = 0; i < out.size(); ++i) out[i] -= y[i];
        return out;
    }

    void step_v(const Row& q) {
        Layers gradient = zeros_like(v.layers);
        v_loss = 0;
        for (std::size_t b = 0; b < kBatch; ++b) {
            const Rows activations = v.forward(s[b]);
            const double u = q[b] - activations.back()[0];
            const double weight = u > 0 ? expectile : 1 - expectile;
            v_loss += weight * u * u / kBatch;
            v.backward(activations, {-2 * weight * u / kBatch}, gradient);
        }
        v.step(gradient, kRate);
    }

    // `share` is what each critic's mean squared error counts.
    void step_q(const Row& next_v, double share) {
        q_loss = 0;
        for (Net* q : {&q1, &q2}) {
            Layers gradient = zeros_like(q->layers);
            for (std::size_t b = 0; b < kBatch; ++b) {
                const double target = r[b] + (d[b] == 1.0 ? 0.0 : discount * next_v[b]);
                const Rows activations = q->forward(sa[b]);
                const double error = activations.back()[0] - target;
                q_loss += share * error * error / kBatch;
                q->backward(activations, {share * 2 * error / kBatch}, gradient);
            }
            q->step(gradient, kRate);
        }
    }

    void average_targets() {
        const auto average = [&](Net& target, Net& source) {
            const auto to = pointers(target.layers), from = pointers(source.layers);
            for (std::size_t i = 0; i < to.size(); ++i) {
                *to[i] = polyak * *from[i] + (1 - polyak) * *to[i];
            }
        };
        average(q1_target, q1);
        average(q2_target, q2);
    }

    Rows dropout_factors(std::int64_t k, std::size_t b) const {
        if (dropout == 0) return {};
        Rows factors;
        for (std::int64_t layer = 0; layer < 2; ++layer) {
            const std::int64_t units = layer == 0 ? 5 : 4;
            const Values draws = dropout_draws(layer, units);
            factors.emplace_back();
            for (std::int64_t j = 0; j < units; ++j) {
                const double u = draws[static_cast<std::size_t>(
                    (k * kBatch + static_cast<std::int64_t>(b)) * units + j)];
                factors.back().push_back(u < dropout ? 0.0 : 1 / (1 - dropout));
            }
        }
        return factors;
    }

    void step_actor(const Row& advantage, std::int64_t k) {
        Layers gradient = zeros_like(actor.layers);
        Row log_std_gradient(log_std.size(), 0.0);
        actor_loss = 0;
        for (std::size_t b = 0; b < kBatch; ++b) {
            double weight = std::exp(temperature * advantage[b]);
            if (weight > 100) {
                weight = 100;
                ++capped;
            }
            const Rows factors = dropout_factors(k, b);
            const Rows activations = actor.forward(s[b], factors);
            Row outer;
            for (std::size_t j = 0; j < kActions; ++j) {
                const double difference = activations.back()[j] - a[b][j];
                if (deterministic) {
                    actor_loss += weight * difference * difference / kBatch;
                    outer.push_back(weight * 2 * difference / kBatch);
                    continue;
                }
                const bool inside = log_std[j] >= log_std_min && log_std[j] <= 2;
                const double clamped = std::min(std::max(log_std[j], log_std_min), 2.0);
                const double z = difference / std::exp(clamped);
                actor_loss += weight / kBatch *
                              (0.5 * z * z + clamped + 0.5 * std::log(2 * std::numbers::pi));
                outer.push_back(weight / kBatch * z / std::exp(clamped));
                if (inside) log_std_gradient[j] += weight / kBatch * (1 - z * z);
            }
            actor.backward(activations, outer, gradient, factors);
        }
        const double progress = static_cast<double>(k) / kMaxSteps;
        const double rate =
            cosine ? kRate / 2 * (1 + std::cos(std::numbers::pi * progress)) : kRate;
        actor.step(gradient, rate);
        if (deterministic) return;
        std::vector<double*> log_stds;
        for (double& x : log_std) log_stds.push_back(&x);
        log_std_adam.step(log_stds, log_std_gradient, rate);
    }
};

// CORL, algorithms/offline/iql.py: train() calls _update_v, _update_q, _update_policy.
void update_as_corl(OracleIql& o, std::int64_t k) {
    o.take_batch(k);
    const Row next_v = o.values(o.v, o.next_s);
    const Row target_q = o.smaller(o.q1_target, o.q2_target);
    const Row advantage = OracleIql::minus(target_q, o.values(o.v, o.s));
    o.step_v(target_q);
    o.step_q(next_v, 0.5);
    o.average_targets();
    o.step_actor(advantage, k);
}

// The authors, learner.py: update_v, awr_update_actor, update_q, target_update.
void update_as_paper(OracleIql& o, std::int64_t k) {
    o.take_batch(k);
    o.step_v(o.smaller(o.q1_target, o.q2_target));
    const Row q = o.smaller(o.q1_target, o.q2_target);
    o.step_actor(OracleIql::minus(q, o.values(o.v, o.s)), k);
    o.step_q(o.values(o.v, o.next_s), 1.0);
    o.average_targets();
}

// No target networks; every loss sees the newest networks.
void update_as_tutorial(OracleIql& o, std::int64_t k) {
    o.take_batch(k);
    o.step_v(o.smaller(o.q1, o.q2));
    o.step_q(o.values(o.v, o.next_s), 1.0);
    o.step_actor(OracleIql::minus(o.smaller(o.q1, o.q2), o.values(o.v, o.s)), k);
}

std::unique_ptr<Recipe> small_recipe(const std::string& preset, const std::string& dataset) {
    auto recipe = make_recipe("iql");
    recipe->apply_preset(preset, dataset);
    for (const char* rate : {"v_learning_rate", "q_learning_rate", "actor_learning_rate"}) {
        recipe->settings().set(rate, "0.01");
    }
    recipe->settings().set("max_steps", "5");
    recipe->settings().set("batch_size", std::to_string(kBatch));
    recipe->settings().set("layer_sizes", kLayers);
    return recipe;
}

void check_near(const Values& got, const Row& want, const std::string& name) {
    CAPTURE(name);
    REQUIRE(got.size() == want.size());
    double largest = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        largest =
            std::max(largest, std::fabs(got[i] - want[i]) / std::max(1.0, std::fabs(want[i])));
    }
    CHECK(largest < 1e-10);
}

void compare(SmallRun& run, OracleIql& o) {
    const std::pair<const char*, Net*> networks[] = {{"v", &o.v},
                                                     {"q1", &o.q1},
                                                     {"q2", &o.q2},
                                                     {"q1_target", &o.q1_target},
                                                     {"q2_target", &o.q2_target},
                                                     {"actor", &o.actor}};
    for (const auto& [name, net] : networks) {
        check_near(flat(run.network(name).layers), flat(net->layers), name);
    }
    if (!o.log_std.empty()) check_near(run.parameter("actor.log_std"), o.log_std, "log_std");
}

struct Case {
    const char *preset, *dataset;
    std::function<void(OracleIql&, std::int64_t)> update;
    std::function<void(OracleIql&)> choose;
};

TEST_CASE("each preset is its source's update, to ten digits after three updates") {
    const Case cases[] = {
        {"corl", "halfcheetah-medium", update_as_corl, [](OracleIql&) {}},
        {"corl", "hopper-medium-expert", update_as_corl,
         [](OracleIql& o) { o.expectile = 0.5, o.temperature = 6; }},
        {"corl", "hopper-medium", update_as_corl,
         [](OracleIql& o) { o.deterministic = true, o.polyak = 0.001; }},
        {"corl", "antmaze-large-play", update_as_corl,
         [](OracleIql& o) { o.expectile = 0.9, o.temperature = 10; }},
        {"corl", "door-human", update_as_corl,
         [](OracleIql& o) { o.expectile = 0.8, o.dropout = 0.1; }},
        {"paper", "halfcheetah-medium", update_as_paper, [](OracleIql& o) { o.log_std_min = -5; }},
        {"paper", "antmaze-umaze", update_as_paper,
         [](OracleIql& o) { o.expectile = 0.9, o.temperature = 10, o.log_std_min = -5; }},
        {"paper", "pen-human", update_as_paper,
         [](OracleIql& o) { o.temperature = 0.5, o.dropout = 0.1, o.log_std_min = -5; }},
        {"tutorial", "halfcheetah-medium", update_as_tutorial,
         [](OracleIql& o) { o.temperature = 10, o.deterministic = true, o.cosine = false; }}};
    int capped = 0;
    for (const Case& c : cases) {
        CAPTURE(std::string(c.preset));
        CAPTURE(std::string(c.dataset));
        const auto recipe = small_recipe(c.preset, c.dataset);
        SmallRun run(*recipe);
        // One log-deviation below the authors' floor and above CORL's.
        if (run.has("actor.log_std")) run.set_parameter("actor.log_std", Values{-5.5, 0.3});
        OracleIql oracle(run);
        oracle.expectile = 0.7;
        oracle.temperature = 3;
        oracle.log_std_min = -20;
        c.choose(oracle);
        CHECK(run.has("q1_target.layers.0.bias") == (std::string(c.preset) != "tutorial"));
        for (std::int64_t k = 0; k < kUpdates; ++k) {
            run.run(1);
            c.update(oracle, k);
            check_near({run.metric("v_loss", k), run.metric("q_loss", k)},
                       {oracle.v_loss, oracle.q_loss}, "losses");
            CHECK(run.metric("actor_loss", k) == doctest::Approx(oracle.actor_loss).epsilon(1e-10));
        }
        compare(run, oracle);
        capped += oracle.capped;
    }
    CHECK(capped > 0);
}

// The parameters by group after one update, settings changed from the preset corl.
std::map<std::string, Values> groups_after(
    const std::vector<std::pair<const char*, const char*>>& changes) {
    const auto recipe = small_recipe("corl", "halfcheetah-medium");
    for (const auto& [name, value] : changes) recipe->settings().set(name, value);
    SmallRun run(*recipe);
    run.run(1);
    std::map<std::string, Values> groups;
    for (ParameterGroup& g : run.state().groups()) {
        for (int i = 0; i < g.count(); ++i) {
            const Values values = g.read(i);
            groups[g.name()].insert(groups[g.name()].end(), values.begin(), values.end());
        }
    }
    return groups;
}

TEST_CASE("each setting changes the networks that it is about, and no other") {
    using Changes = std::vector<std::pair<const char*, const char*>>;
    const auto plain = groups_after({});
    const std::pair<Changes, std::vector<std::string>> cases[] = {
        {{{"value_for_targets", "after_step"}}, {"critic_targets", "critics"}},
        {{{"advantage_from", "after_value_step"}}, {"actor"}},
        {{{"advantage_from", "after_all_steps"}}, {"actor"}},
        {{{"critic_loss", "sum"}}, {"critic_targets", "critics"}},
        {{{"actor_dropout", "0.1"}}, {"actor"}},
        {{{"target_critics", "false"}}, {"actor", "critic_targets", "value"}},
        {{{"deterministic_policy", "true"}}, {"actor"}},
        {{{"temperature", "2"}}, {"actor"}},
        {{{"exp_advantage_max", "1"}}, {"actor"}},
        {{{"expectile", "0.8"}}, {"value"}},
        {{{"discount", "0.9"}}, {"critic_targets", "critics"}},
        {{{"polyak", "0.5"}}, {"critic_targets"}},
        {{{"target_update_period", "2"}}, {"critic_targets"}},
        {{{"v_learning_rate", "0.02"}}, {"value"}},
        {{{"q_learning_rate", "0.02"}}, {"critic_targets", "critics"}},
        {{{"actor_learning_rate", "0.02"}}, {"actor"}},
        {{{"log_std_max", "-1"}}, {"actor"}},
        {{{"learning_rate_schedule", "warmup"}, {"warmup_steps", "4"}},
         {"critic_targets", "critics", "value"}},
        {{{"actor_learning_rate_schedule", "warmup"}, {"warmup_steps", "4"}}, {"actor"}}};
    for (const auto& [changes, want] : cases) {
        const std::string first = changes[0].first;
        CAPTURE(first);
        const auto changed = groups_after(changes);
        std::vector<std::string> different;
        for (const auto& [group, values] : plain) {
            const auto found = changed.find(group);
            if (found == changed.end() || found->second != values) different.push_back(group);
        }
        CHECK(fmt::format("{}", fmt::join(different, " ")) ==
              fmt::format("{}", fmt::join(want, " ")));
    }
}

TEST_CASE("the three readings of the advantage differ, with targets and without") {
    for (const char* targets : {"true", "false"}) {
        std::vector<Values> actors;
        for (const char* from : {"before_steps", "after_value_step", "after_all_steps"}) {
            actors.push_back(
                groups_after({{"target_critics", targets}, {"advantage_from", from}}).at("actor"));
        }
        CHECK(actors[0] != actors[1]);
        CHECK(actors[1] != actors[2]);
        CHECK(actors[0] != actors[2]);
    }
}

}  // namespace
}  // namespace drydock::test
