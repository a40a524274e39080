// Behaviour cloning against its update written out by hand, and the two names of its settings.
#include "algorithms/bc.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "tests/algorithms/run.h"

namespace drydock::test {
namespace {

using algorithms::make_recipe;
using algorithms::Recipe;

std::unique_ptr<Recipe> small_recipe() {
    auto recipe = make_recipe("bc");
    recipe->settings().set("batch_size", std::to_string(kBatch));
    recipe->settings().set("layer_sizes", R"({"actor": [3, 5, 4, 2]})");
    return recipe;
}

// The mean over rows and dimensions of (bound * tanh(...) - a)^2, then Adam; returns the loss.
double update(Net& actor, const SmallData& data, std::int64_t k, double bound, double rate) {
    Layers gradient = zeros_like(actor.layers);
    double loss = 0;
    for (std::int64_t b = 0; b < kBatch; ++b) {
        const std::int64_t i = data.rows[static_cast<std::size_t>(k * kBatch + b)];
        const Row s(data.observations.begin() + i * kObservations,
                    data.observations.begin() + (i + 1) * kObservations);
        const Rows activations = actor.forward(s);
        Row outer;
        for (std::int64_t j = 0; j < kActions; ++j) {
            const double a = data.actions[static_cast<std::size_t>(i * kActions + j)];
            const double error = bound * activations.back()[static_cast<std::size_t>(j)] - a;
            loss += error * error / (kBatch * kActions);
            outer.push_back(2 * error * bound / (kBatch * kActions));
        }
        actor.backward(activations, outer, gradient);
    }
    actor.step(gradient, rate);
    return loss;
}

TEST_CASE("BC is the mean squared error, to ten digits after three updates") {
    for (const double bound : {1.0, 0.4}) {
        const auto recipe = small_recipe();
        recipe->common().batch_action_bound = bound;
        SmallRun run(*recipe);
        Net actor = run.network("actor", true);
        const SmallData data;
        for (std::int64_t k = 0; k < kUpdates; ++k) {
            run.run(1);
            const double loss = update(actor, data, k, bound, 3e-4);
            CHECK(run.metric("actor_loss", k) == doctest::Approx(loss).epsilon(1e-12));
        }
        const Row got = flat(run.network("actor").layers), want = flat(actor.layers);
        REQUIRE(got.size() == want.size());
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(std::fabs(got[i] - want[i]) < 1e-12);
        CHECK(run.state().groups().size() == 1);
    }
}

Values actor_after(const std::vector<std::pair<const char*, const char*>>& changes) {
    const auto recipe = small_recipe();
    for (const auto& [name, value] : changes) recipe->settings().set(name, value);
    SmallRun run(*recipe);
    run.run(2);
    return flat(run.network("actor").layers);
}

TEST_CASE("BC's only rate and schedule have two names, of which the actor's goes first") {
    const Values plain = actor_after({});
    const Values fast = actor_after({{"learning_rate", "0.01"}});
    CHECK(fast != plain);
    CHECK(actor_after({{"actor_learning_rate", "0.01"}}) == fast);
    CHECK(actor_after({{"learning_rate", "null"}, {"actor_learning_rate", "0.01"}}) == fast);
    CHECK(actor_after({{"learning_rate", "0.5"}, {"actor_learning_rate", "0.01"}}) == fast);
    CHECK(actor_after({{"actor_learning_rate", "0.01"}, {"learning_rate", "0.5"}}) == fast);
    CHECK(actor_after({{"learning_rate", "0.01"}, {"actor_learning_rate", "null"}}) == fast);
    const auto cosine = [](const char* name) {
        return actor_after({{name, "cosine"}, {"max_steps", "3"}});
    };
    CHECK(cosine("learning_rate_schedule") != plain);
    CHECK(cosine("actor_learning_rate_schedule") == cosine("learning_rate_schedule"));
    CHECK(actor_after({{"learning_rate_schedule", "cosine"},
                       {"actor_learning_rate_schedule", "constant"}}) == plain);
    CHECK(actor_after({{"learning_rate_schedule", "null"}}) == plain);
    const auto recipe = small_recipe();
    recipe->settings().set("learning_rate", "null");
    CHECK_THROWS_WITH_AS(recipe->fit(3, 2), doctest::Contains("actor_learning_rate"), Error);
    CHECK_THROWS_AS(recipe->settings().set("actor_learning_rate", "-1"), Error);
    CHECK_THROWS_AS(recipe->settings().set("actor_learning_rate", "fast"), Error);
    CHECK_THROWS_AS(recipe->settings().set("actor_learning_rate_schedule", "linear"), Error);
}

TEST_CASE("BC has a policy of one network and reads no outcomes") {
    const auto recipe = make_recipe("bc");
    CHECK_FALSE(recipe->reads_outcomes());
    CHECK(make_recipe("iql")->reads_outcomes());
    recipe->fit(11, 3);
    CHECK(recipe->settings().get("layer_sizes") == R"({"actor":[11,256,256,3]})");
    const Device device = Device::cpu(1);
    State state(device);
    const auto bc = recipe->make(state);
    CHECK(bc->policy().name == "actor");
    CHECK(bc->policy().head == "deterministic_tanh");
    const auto other = make_recipe("bc");
    other->settings().set("layer_sizes", R"({"v": [11, 3]})");
    CHECK_THROWS_WITH_AS(other->fit(11, 3), doctest::Contains("'v'"), Error);
}

TEST_CASE("BC's presets differ in what is imitated") {
    const auto recipe = make_recipe("bc");
    CHECK(recipe->presets() == std::vector<std::string>{"corl", "corl-10", "paper", "tutorial"});
    CHECK(recipe->settings().get("normalize_observations") == "true");
    CHECK(recipe->common().best_fraction == 1.0);
    CHECK(recipe->common().best_discount == 0.99);
    recipe->apply_preset("tutorial", "hopper-medium");
    CHECK(recipe->settings().get("normalize_observations") == "false");
    CHECK_FALSE(recipe->common().best_fraction);
    recipe->apply_preset("corl-10", "hopper-medium");
    CHECK(recipe->settings().get("normalize_observations") == "true");
    CHECK(recipe->common().best_fraction == 0.1);
    CHECK(recipe->common().best_discount == 1.0);
    recipe->apply_preset("paper", "hopper-medium");
    CHECK(recipe->common().best_by == "transitions");
    CHECK(recipe->common().normalize_over == "all");
    recipe->fit(11, 3);
    CHECK(recipe->settings().get("layer_sizes") == R"({"actor":[11,128,128,128,3]})");
    CHECK_THROWS_AS(recipe->settings().set("best_fraction", "1.5"), Error);
    CHECK_THROWS_AS(recipe->settings().set("best_by", "rows"), Error);
}

TEST_CASE("BC's dropout is of the update alone") {
    const auto recipe = small_recipe();
    recipe->settings().set("actor_dropout", "0.5");
    SmallRun run(*recipe);
    run.run(1);
    const auto plain = small_recipe();
    SmallRun without(*plain);
    without.run(1);
    CHECK(run.metric("actor_loss", 0) != without.metric("actor_loss", 0));
}

}  // namespace
}  // namespace drydock::test
