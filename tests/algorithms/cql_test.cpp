// CQL's presets, its refusals, and what no trace can hold: the updates that imitate.
#include "algorithms/cql.h"

#include <doctest/doctest.h>

#include <map>

#include "algorithms/discrete_cql.h"
#include "base/error.h"
#include "tests/algorithms/run.h"

namespace drydock::test {
namespace {

using algorithms::make_recipe;
using algorithms::Recipe;

using Differences = std::map<std::string, std::string>;

Differences differences(const char* algorithm, const char* preset, const char* dataset) {
    const auto recipe = make_recipe(algorithm), plain = make_recipe(algorithm);
    recipe->apply_preset(preset, dataset);
    Differences out;
    for (const std::string& name : recipe->settings().names()) {
        const std::string value = recipe->settings().get(name);
        if (value != plain->settings().get(name)) out[name] = value;
    }
    return out;
}

std::unique_ptr<Recipe> small_recipe(const Differences& more = {}) {
    auto recipe = make_recipe("cql");
    auto& s = recipe->settings();
    s.set("batch_size", std::to_string(kBatch));
    s.set("layer_sizes", R"({"q1": [5, 6, 4, 1], "q2": [5, 4, 5, 1], "actor": [3, 5, 4, 4]})");
    s.set("n_actions", "3");
    for (const auto& [name, value] : more) s.set(name, value);
    return recipe;
}

TEST_CASE("preset corl of CQL: the rows of CORL's configurations") {
    CHECK(differences("cql", "corl", "halfcheetah-medium-replay").empty());
    CHECK(differences("cql", "corl", "hopper-medium") ==
          Differences{{"reward_transform", "return_range"}});
    const Differences antmaze = differences("cql", "corl", "antmaze-umaze-diverse");
    CHECK(antmaze.at("q1_hidden_layers") == "5");
    CHECK_FALSE(antmaze.contains("q2_hidden_layers"));
    CHECK(antmaze.at("target_action_gap") == "0.8");
    CHECK(antmaze.at("clip_difference_min") == "-200");
    CHECK(differences("cql", "corl", "pen-human").at("cql_alpha") == "1");
}

TEST_CASE("critics of unlike depth where the settings give that") {
    const auto recipe = make_recipe("cql");
    recipe->apply_preset("corl", "antmaze-umaze");
    recipe->fit(29, 8);
    CHECK(recipe->settings().get("layer_sizes") ==
          R"({"actor":[29,256,256,256,16],"q1":[37,256,256,256,256,256,1],)"
          R"("q2":[37,256,256,256,1]})");
}

TEST_CASE("preset paper of CQL: Lagrange but for locomotion, and rlkit's networks") {
    CHECK(differences("cql", "paper", "kitchen-mixed").at("lagrange") == "true");
    CHECK_FALSE(differences("cql", "paper", "hopper-medium").contains("lagrange"));
    CHECK(differences("cql", "paper", "hopper-medium").at("cql_alpha") == "5");
    const auto recipe = small_recipe({{"initializer", "rlkit"}});
    Device device = Device::cpu(1);
    State state(device);
    recipe->fit(kObservations, kActions);
    const auto cql = recipe->make(state);
    cql->initialize(1);
    for (ParameterGroup& group : state.groups()) {
        for (int i = 0; i < group.count(); ++i) {
            const std::string& name = group.spec(i).name;
            double largest = 0;
            for (const double x : group.read(i)) largest = std::max(largest, std::fabs(x));
            if (name == "q1.layers.0.bias") CHECK(largest == doctest::Approx(0.1));
            if (name == "q1.layers.0.weight") CHECK(largest <= 1 / std::sqrt(6.0));
            if (name == "q2.layers.2.weight") CHECK(largest <= 3e-3f);
            if (name == "actor.layers.2.bias") CHECK(largest <= 1e-3f);
        }
    }
}

TEST_CASE("settings of CQL that contradict each other are refused") {
    const auto text = [](const Differences& settings) -> std::string {
        try {
            small_recipe(settings)->fit(kObservations, kActions);
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::usage);
            return error.what();
        }
        return "";
    };
    CHECK(text({}).empty());
    CHECK(text({{"policy", "best_of_n"}}).find("no actor") != std::string::npos);
    CHECK(text({{"backup_entropy", "true"},
                {"max_target_backup", "true"},
                {"max_target_order", "max_then_min"}})
              .find("no one density") != std::string::npos);
    CHECK(text({{"max_target_backup", "true"}, {"target_actions", "uniform"}})
              .find("takes the best of n_actions already") != std::string::npos);
    CHECK(text({{"clip_difference_min", "2"}, {"clip_difference_max", "1"}}).find("got") !=
          std::string::npos);
}

TEST_CASE("settings of CQL that play no part are refused, those of a preset are none") {
    const auto text = [](const Differences& settings) -> std::string {
        const auto recipe = make_recipe("cql");
        recipe->apply_preset(settings.contains("preset") ? "corl" : "tutorial", "");
        for (const auto& [name, value] : settings) {
            if (name != "preset") recipe->settings().set(name, value);
        }
        try {
            recipe->fit(kObservations, kActions);
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::usage);
            return error.what();
        }
        return "";
    };
    CHECK(text({}).empty());
    CHECK(text({{"actor_learning_rate", "3e-5"}}).empty());  // its first value
    const std::string said = text({{"actor_learning_rate", "1e-4"}, {"cql_temperature", "2"}});
    CHECK(said.find("got actor_learning_rate=0.0001, cql_temperature=2") != std::string::npos);
    CHECK(said.find("no actor") != std::string::npos);
    for (const char* name : {"alpha_multiplier", "target_entropy", "log_std_min", "mixing_ratio"}) {
        CHECK(text({{name, "0.5"}}).find(name) != std::string::npos);
    }
    CHECK(text({{"policy_samples", "7"}, {"n_actions", "3"}, {"cql_alpha", "2"}}).empty());
    CHECK(text({{"preset", "corl"}}).empty());
    CHECK(text({{"preset", "corl"}, {"policy_samples", "7"}}).find("samples nothing") !=
          std::string::npos);
}

TEST_CASE("CQL imitates in its first bc_steps updates and then learns from its critics") {
    // Critics that say nothing of actions give the policy no gradient: after the warm-up only the
    // entropy moves it, in the warm-up the data do.
    const auto actor_after = [](const char* bc_steps, double q_bias) {
        const auto recipe = small_recipe({{"bc_steps", bc_steps}, {"actor_learning_rate", "0.01"}});
        SmallRun run(*recipe);
        for (const char* q : {"q1", "q2"}) {
            run.set_parameter(std::string(q) + ".layers.2.bias", {q_bias});
        }
        run.run(1);
        return run.parameter("actor.layers.2.weight");
    };
    const Values imitating = actor_after("1", 0.0), learning = actor_after("0", 0.0);
    CHECK(imitating != learning);
    // Imitation does not look at the critics at all.
    const auto recipe = small_recipe({{"bc_steps", "2"}, {"actor_learning_rate", "0.01"}});
    SmallRun one(*recipe), two(*recipe);
    two.set_parameter("q1.layers.1.weight", Values(24, 0.7));
    one.run(2);
    two.run(2);
    CHECK(one.parameter("actor.layers.0.weight") == two.parameter("actor.layers.0.weight"));
    one.run(1);
    two.run(1);
    CHECK(one.parameter("actor.layers.0.weight") != two.parameter("actor.layers.0.weight"));
}

TEST_CASE("imitation alone brings the policy's mean to the data's actions") {
    const auto recipe = small_recipe({{"bc_steps", "1000000"},
                                      {"actor_learning_rate", "0.01"},
                                      {"automatic_entropy_tuning", "false"},
                                      {"alpha_multiplier", "0"}});
    SmallRun run(*recipe);
    run.run(1);
    const double first = run.metric("actor_loss", 0);
    run.run(2);
    CHECK(run.metric("actor_loss", 2) < first);
}

TEST_CASE("the tutorial's CQL has one critic, no actor, and acts by the best of samples") {
    const auto recipe = make_recipe("cql");
    recipe->apply_preset("tutorial", "");
    recipe->settings().set("batch_size", std::to_string(kBatch));
    recipe->settings().set("layer_sizes", R"({"q1": [5, 6, 1]})");
    SmallRun run(*recipe);
    run.run(kUpdates);
    CHECK(run.state().groups().size() == 2);
    CHECK_FALSE(run.has("q2.layers.0.weight"));
    CHECK(run.state().metric_names() ==
          std::vector<std::string>{"q1_td_loss", "q1_conservative_loss"});
}

TEST_CASE("advice names what to lower when a temperature or multiplier overflows") {
    const auto recipe = small_recipe();
    Device device = Device::cpu(1);
    State state(device);
    recipe->fit(kObservations, kActions);
    const auto cql = recipe->make(state);
    CHECK(cql->advice("alpha").find("alpha_learning_rate") != std::string::npos);
    CHECK(cql->advice("alpha_prime").find("target_action_gap") != std::string::npos);
    CHECK(cql->advice("q1_td_loss").empty());
}

TEST_CASE("discrete CQL wants choices, and sizes its network by them and its quantiles") {
    const auto recipe = make_recipe("discrete-cql");
    CHECK_THROWS_WITH_AS(recipe->fit(4, 1), doctest::Contains("real numbers"), Error);
    recipe->common().action_count = 2;
    recipe->settings().set("head", "quantile");
    recipe->settings().set("quantiles", "5");
    recipe->fit(4, 1);
    CHECK(recipe->settings().get("layer_sizes") == R"({"q":[4,64,64,10]})");
    recipe->settings().set("td_error", "squared");
    CHECK_THROWS_WITH_AS(recipe->fit(4, 1), doctest::Contains("huber"), Error);
    CHECK(differences("discrete-cql", "paper", "").at("double_dqn") == "false");
    CHECK(differences("discrete-cql", "d3rlpy", "").at("target_update_period") == "2000");
}

TEST_CASE("algorithms say which kinds of action they take") {
    for (const std::string& name : algorithms::list_algorithms()) {
        const auto recipe = make_recipe(name);
        CAPTURE(name);
        CHECK(recipe->takes_choices() == (name == "bc" || name == "discrete-cql"));
        CHECK(recipe->takes_real_actions() == (name != "discrete-cql"));
    }
}

}  // namespace
}  // namespace drydock::test
