// TD3+BC against its update written out by hand, in the order of the authors' TD3_BC.py.
#include "algorithms/td3bc.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "tests/algorithms/run.h"

namespace drydock::test {
namespace {

using algorithms::make_recipe;
using algorithms::Recipe;

constexpr double kRate = 0.01;

std::unique_ptr<Recipe> small_recipe() {
    auto recipe = make_recipe("td3bc");
    recipe->settings().set("batch_size", std::to_string(kBatch));
    recipe->settings().set("learning_rate", "0.01");
    recipe->settings().set("layer_sizes",
                           R"({"q1": [5, 6, 4, 1], "q2": [5, 4, 5, 1], "actor": [3, 5, 4, 2]})");
    return recipe;
}

Row joined(Row s, const Row& a) {
    s.insert(s.end(), a.begin(), a.end());
    return s;
}

Row scaled(Row x, double factor) {
    for (double& v : x) v *= factor;
    return x;
}

struct OracleTd3Bc {
    Net q1, q2, q1_target, q2_target, actor, actor_target;
    SmallData data;
    Values noise = target_policy_draws();
    double bound = 1, alpha = 2.5, policy_noise = 0.2, noise_clip = 0.5, polyak = 0.005;
    std::int64_t policy_period = 2;
    double q_loss = 0, actor_loss = 0;
    int clipped = 0;  // draws of noise that met the clip

    explicit OracleTd3Bc(SmallRun& run)
        : q1(run.network("q1")),
          q2(run.network("q2")),
          q1_target(run.network("q1_target")),
          q2_target(run.network("q2_target")),
          actor(run.network("actor", true)),
          actor_target(run.network("actor_target", true)) {}

    std::size_t index(std::int64_t k, std::int64_t b) const {
        return static_cast<std::size_t>(data.rows[static_cast<std::size_t>(k * kBatch + b)]);
    }
    static Row row(const Values& column, std::size_t i, std::size_t width) {
        const auto first = column.begin() + static_cast<std::ptrdiff_t>(i * width);
        return {first, first + static_cast<std::ptrdiff_t>(width)};
    }
    Row s(std::size_t i) const { return row(data.observations, i, kObservations); }
    Row a(std::size_t i) const { return row(data.actions, i, kActions); }

    double target(std::int64_t k, std::int64_t b) {
        const std::size_t i = index(k, b);
        const Row next = row(data.next_observations, i, kObservations);
        Row action = scaled(actor_target.forward(next).back(), bound);
        for (std::size_t j = 0; j < action.size(); ++j) {
            const double draw = noise[static_cast<std::size_t>((k * kBatch + b) * kActions) + j];
            const double limit = noise_clip * bound;
            const double e = policy_noise * bound * draw;
            clipped += std::fabs(e) > limit;
            action[j] += std::min(std::max(e, -limit), limit);
            action[j] = std::min(std::max(action[j], -bound), bound);
        }
        const Row pair = joined(next, action);
        const double q = std::min(q1_target.value(pair), q2_target.value(pair));
        return data.rewards[i] + (data.terminals[i] == 1.0 ? 0.0 : 0.99 * q);
    }

    void step_critics(std::int64_t k) {
        q_loss = 0;
        Row targets;
        for (std::int64_t b = 0; b < kBatch; ++b) targets.push_back(target(k, b));
        for (Net* q : {&q1, &q2}) {
            Layers gradient = zeros_like(q->layers);
            for (std::int64_t b = 0; b < kBatch; ++b) {
                const std::size_t i = index(k, b);
                const Rows activations = q->forward(joined(s(i), a(i)));
                const double error = activations.back()[0] - targets[static_cast<std::size_t>(b)];
                q_loss += error * error / kBatch;
                q->backward(activations, {2 * error / kBatch}, gradient);
            }
            q->step(gradient, kRate);
        }
    }

    // The derivative of the first critic by its action part, by central differences: the oracle's
    // backward pass gives derivatives by parameters only.
    Row action_slope(const Row& state, const Row& action) const {
        Row slope;
        for (std::size_t j = 0; j < action.size(); ++j) {
            Row up = action, down = action;
            up[j] += 1e-6;
            down[j] -= 1e-6;
            slope.push_back((q1.value(joined(state, up)) - q1.value(joined(state, down))) / 2e-6);
        }
        return slope;
    }

    void step_actor(std::int64_t k) {
        Rows actions;
        double size = 0, sum = 0;
        for (std::int64_t b = 0; b < kBatch; ++b) {
            const Row state = s(index(k, b));
            actions.push_back(scaled(actor.forward(state).back(), bound));
            const double q = q1.value(joined(state, actions.back()));
            size += std::fabs(q) / kBatch;
            sum += q / kBatch;
        }
        const double lambda = alpha / size;
        actor_loss = -lambda * sum;
        Layers gradient = zeros_like(actor.layers);
        for (std::int64_t b = 0; b < kBatch; ++b) {
            const std::size_t i = index(k, b);
            const Row& action = actions[static_cast<std::size_t>(b)];
            Row outer = scaled(action_slope(s(i), action), -lambda * bound / kBatch);
            for (std::size_t j = 0; j < action.size(); ++j) {
                const double error = action[j] - a(i)[j];
                actor_loss += error * error / (kBatch * kActions);
                outer[j] += 2 * error * bound / (kBatch * kActions);
            }
            actor.backward(actor.forward(s(i)), outer, gradient);
        }
        actor.step(gradient, kRate);
    }

    void average(Net& target_net, Net& source) const {
        const auto to = pointers(target_net.layers), from = pointers(source.layers);
        for (std::size_t i = 0; i < to.size(); ++i) {
            *to[i] = polyak * *from[i] + (1 - polyak) * *to[i];
        }
    }

    bool update(std::int64_t k) {
        step_critics(k);
        if ((k + 1) % policy_period != 0) return false;
        step_actor(k);
        average(q1_target, q1);
        average(q2_target, q2);
        average(actor_target, actor);
        return true;
    }
};

void check_close(const Net& got, const Net& want) {
    const Row x = flat(got.layers), y = flat(want.layers);
    REQUIRE(x.size() == y.size());
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::fabs(x[i] - y[i]) < 1e-8);
}

TEST_CASE("TD3+BC is the authors' update, its actor and targets delayed") {
    for (const std::int64_t period : {1, 2, 3}) {
        for (const double bound : {1.0, 0.4}) {
            const auto recipe = small_recipe();
            recipe->settings().set("policy_period", std::to_string(period));
            recipe->common().batch_action_bound = bound;
            SmallRun run(*recipe);
            OracleTd3Bc oracle(run);
            oracle.policy_period = period;
            oracle.bound = bound;
            for (std::int64_t k = 0; k < kUpdates; ++k) {
                run.run(1);
                const bool actor = oracle.update(k);
                CHECK(run.metric("q_loss", k) == doctest::Approx(oracle.q_loss).epsilon(1e-9));
                if (!actor) continue;
                CHECK(run.metric("actor_loss", k) ==
                      doctest::Approx(oracle.actor_loss).epsilon(1e-8));
            }
            CHECK(oracle.clipped > 0);
            check_close(run.network("q1"), oracle.q1);
            check_close(run.network("q2"), oracle.q2);
            check_close(run.network("actor"), oracle.actor);
            check_close(run.network("q1_target"), oracle.q1_target);
            check_close(run.network("q2_target"), oracle.q2_target);
            check_close(run.network("actor_target"), oracle.actor_target);
        }
    }
}

TEST_CASE("each setting of TD3+BC reaches its update") {
    const auto after = [](const char* name, const char* value) {
        const auto recipe = small_recipe();
        recipe->settings().set(name, value);
        SmallRun run(*recipe);
        run.run(kUpdates);
        Row all;
        for (const char* network : {"q1", "actor", "q1_target", "actor_target"}) {
            const Row part = flat(run.network(network).layers);
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    };
    const Row plain = after("discount", "0.99");
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
             {"discount", "0.9"},
             {"alpha", "1"},
             {"policy_noise", "0.1"},
             {"noise_clip", "0.3"},
             {"policy_period", "1"},
             {"polyak", "0.01"},
             {"q_learning_rate", "0.02"},
             {"actor_learning_rate", "0.02"},
             {"learning_rate_schedule", "cosine"}}) {
        CAPTURE(name);
        CHECK(after(name, value) != plain);
    }
    CHECK(after("actor_learning_rate_schedule", "warmup") == plain);  // a warm-up of one step
    CHECK(after("noise_clip", "null") == after("noise_clip", "inf"));
    CHECK(after("q_learning_rate", "0.01") == plain);
}

TEST_CASE("the cosine of a delayed actor ends where that of the critics does") {
    const auto recipe = small_recipe();
    recipe->settings().set("learning_rate_schedule", "cosine");
    recipe->settings().set("policy_period", "3");
    recipe->settings().set("max_steps", "3000");
    recipe->fit(kObservations, kActions);
    const Device device = Device::cpu(1);
    State state(device);
    const auto td3bc = recipe->make(state);
    for (ParameterGroup& group : state.groups()) {
        if (group.name() == "critics") CHECK(group.optimizer().horizon == 3000);
        if (group.name() == "actor") CHECK(group.optimizer().horizon == 1000);
    }
}

TEST_CASE("TD3+BC starts with targets that are copies, and its policy is the actor") {
    const auto recipe = make_recipe("td3bc");
    recipe->fit(11, 3);
    const Device device = Device::cpu(1);
    State state(device);
    const auto td3bc = recipe->make(state);
    td3bc->initialize(5);
    std::map<std::string, Values> values;
    for (ParameterGroup& group : state.groups()) {
        for (int i = 0; i < group.count(); ++i) values[group.spec(i).name] = group.read(i);
    }
    CHECK(values.at("q1.layers.0.weight") == values.at("q1_target.layers.0.weight"));
    CHECK(values.at("actor.layers.2.bias") == values.at("actor_target.layers.2.bias"));
    CHECK(values.at("q1.layers.0.weight") != values.at("q2.layers.0.weight"));
    CHECK(td3bc->policy().name == "actor");
    CHECK(td3bc->policy().head == "deterministic_tanh");
}

TEST_CASE("TD3+BC's presets agree but for antmaze") {
    const auto recipe = make_recipe("td3bc");
    CHECK(recipe->presets() == std::vector<std::string>{"corl", "paper"});
    CHECK(recipe->settings().get("reward_transform") == "none");
    recipe->apply_preset("corl", "antmaze-umaze");
    CHECK(recipe->settings().get("reward_transform") == "minus_one");
    recipe->settings().set("learning_rate", "null");
    CHECK_THROWS_WITH_AS(recipe->fit(3, 2), doctest::Contains("q_learning_rate"), Error);
}

}  // namespace
}  // namespace drydock::test
