// What is exported of networks that are more than their policy.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/training/support.h"
#include "training/export.h"
#include "training/loaded_policy.h"

namespace drydock {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

// The policy file of an algorithm after some updates on an environment's data.
TensorFile export_of(const std::string& algorithm, const std::string& environment,
                     const std::string& preset, const Settings& settings) {
    training::CollectOptions collect;
    collect.environment = environment;
    collect.behaviour = "random";
    collect.episodes = 5;
    collect.threads = 1;
    auto recipe = algorithms::make_recipe(algorithm);
    if (!preset.empty()) recipe->apply_preset(preset, "");
    for (const auto& [name, value] : settings) recipe->settings().set(name, value);
    const auto simulator = envs::make_environment(environment);
    training::TrainingData data =
        training::prepare_training_data(training::collect(collect), *recipe, &simulator->info());
    training::SessionOptions options;
    options.threads = 1;
    options.seed = 11;
    training::Session session(*recipe, data.transitions.observation_size,
                              data.transitions.action_size, options);
    session.add_data(data.transitions);
    session.record_update();
    session.run(20);
    return training::make_policy_file(session, data, {algorithm, preset, environment, 11, {}});
}

// make_policy_file has compared the runtime with the engine; here is what the file says of itself.
void check(const TensorFile& file, const std::string& kind, const std::string& architecture) {
    CHECK(file.text("kind") == kind);
    CHECK(testing::contains(file.text("architecture"), architecture));
    const training::LoadedPolicy policy(serialize(file), "policy");
    CHECK(policy.info().golden_rows >= 14);
    CHECK(training::PolicyContext(policy).self_test() == 0.0f);
}

TEST_CASE("of an actor that ends in means and deviations the means are exported") {
    check(export_of("cql", "pendulum", "",
                    {{"batch_size", "8"},
                     {"layer_sizes", R"({"q1":[4,8,1],"q2":[4,8,1],"actor":[3,8,2]})"}}),
          "mlp", R"("hidden_activation":"relu","layer_sizes":[3,8,1]})");
}

TEST_CASE("a value of actions is exported with its candidates") {
    check(export_of("cql", "pendulum", "tutorial",
                    {{"batch_size", "8"}, {"layer_sizes", R"({"q1":[4,8,1]})"}}),
          "best_of_n",
          R"({"action_size":1,"hidden_activation":"relu","layer_sizes":[4,8,1],"samples":100,)"
          R"("seed":11})");
}

TEST_CASE("values of choices are exported, of quantiles their means") {
    const std::string want =
        R"({"head":"argmax","hidden_activation":"relu","layer_sizes":[4,8,2]})";
    check(export_of("discrete-cql", "cartpole", "",
                    {{"batch_size", "8"}, {"layer_sizes", R"({"q":[4,8,2]})"}}),
          "mlp", want);
    check(export_of("discrete-cql", "cartpole", "",
                    {{"batch_size", "8"},
                     {"head", "quantile"},
                     {"quantiles", "5"},
                     {"layer_sizes", R"({"q":[4,8,10]})"}}),
          "mlp", want);
}

// Episodes of 200 steps where time steps are told apart up to episode_len and 3 more, or fewer.
TEST_CASE("a transformer's policy tells apart the time steps that its training does") {
    struct Case {
        const char *episode_len, *rows;
        std::int64_t in_file;
    };
    for (const Case& c : {Case{"20", "0", 23},
                          {"20", "30", 30},
                          {"40", "9", 40},
                          {"2", "2", 3},
                          {"250", "0", 250}}) {
        CAPTURE(c.episode_len);
        CAPTURE(c.rows);
        auto recipe = algorithms::make_recipe("dt");
        for (const auto& [name, value] : Settings{{"batch_size", "4"},
                                                  {"context_length", "3"},
                                                  {"embedding_dim", "8"},
                                                  {"layers", "2"},
                                                  {"timestep_std", "1"},
                                                  {"episode_len", c.episode_len},
                                                  {"timestep_rows", c.rows}}) {
            recipe->settings().set(name, value);
        }
        const auto simulator = envs::make_environment("pendulum");
        training::TrainingData data =
            training::prepare_training_data(testing::pendulum_data(), *recipe, &simulator->info());
        training::SessionOptions options;
        options.threads = 1;
        training::Session session(*recipe, 3, 1, options);
        session.add_data(data.transitions);
        session.record_update();
        session.run(3);
        const TensorFile file = training::make_policy_file(session, data, {"dt", "", "", 0, {}});
        CHECK(file.tensor("embed_timestep.weight").shape[0] == c.in_file);

        // An episode by the runtime, and each step's window anew by the engine.
        const training::LoadedPolicy policy(serialize(file), "policy");
        training::PolicyContext context(policy);
        std::vector<float> observations, actions, returns;
        std::vector<std::int64_t> timesteps;
        for (std::size_t t = 0; t < 60; ++t) {
            const float x = 0.1f * static_cast<float>(t);
            const std::vector<float> raw{std::cos(x), std::sin(x), x};
            std::vector<float> action(1), row = raw;
            context.act(raw, action);
            context.observe_reward(-1);
            data.normalizer.apply(std::span(row));
            observations.insert(observations.end(), row.begin(), row.end());
            returns.push_back(
                static_cast<float>((data.returns->high + static_cast<double>(t)) * 0.001));
            timesteps.push_back(static_cast<std::int64_t>(t));
            actions.push_back(0);
            const std::size_t n = std::min<std::size_t>(t + 1, 3), first = t + 1 - n;
            const std::vector<float> window = session.act_window(
                {std::span(observations).subspan(3 * first), std::span(actions).subspan(first),
                 std::span(returns).subspan(first), std::span(timesteps).subspan(first)});
            actions.back() = action[0] / 2;
            CHECK(window.back() == doctest::Approx(actions.back()).epsilon(1e-4));
        }
    }
}

}  // namespace
}  // namespace drydock
