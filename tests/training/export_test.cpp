#include "training/export.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/training/support.h"
#include "training/loaded_policy.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;
using training::LoadedPolicy;
using training::make_policy_file;
using training::PolicyContext;

const training::Provenance kProvenance{"iql", "corl", "pendulum", 7, 12.5};

TEST_CASE("the exported policy acts as the trained network does") {
    testing::SmallRun run;
    run.session->run(50);
    const TensorFile file = make_policy_file(*run.session, run.data, kProvenance);
    CHECK(file.text("dataset_sha256") == run.data.sha256);
    CHECK(file.text("train_steps") == "50");
    CHECK(file.text("score") == "12.5");
    CHECK(file.text("sha256_data") == sha256_of_data(file));

    const LoadedPolicy policy(serialize(file), "policy");
    PolicyContext context(policy);
    CHECK(context.self_test() == 0.0f);
    const data::Dataset& raw = testing::pendulum_data();
    std::vector<float> normalized(raw.observations.begin(), raw.observations.begin() + 3 * 100);
    run.data.normalizer.apply(normalized);
    const std::vector<float> engine = run.session->act(normalized);
    for (std::size_t i = 0; i < 100; ++i) {
        float action = 0;
        context.act(std::span(raw.observations).subspan(3 * i, 3), {&action, 1});
        CHECK(std::fabs(action - 2.0f * engine[i]) < 1e-5f);
    }
}

TEST_CASE("a changed weight is noticed") {
    testing::SmallRun run;
    TensorFile file = make_policy_file(*run.session, run.data, kProvenance);
    auto weight = file.tensor("layers.0.weight").f32("layers.0.weight");
    weight[3] += 0.1f;
    file.tensors["layers.0.weight"] = TensorData::of({16, 3}, std::span<const float>(weight));
    CHECK(contains(error_of([&] { LoadedPolicy(serialize(file), "p"); }), "sha256_data"));
    file.metadata["sha256_data"] = sha256_of_data(file);
    const LoadedPolicy policy(serialize(file), "p");
    CHECK(contains(error_of([&] { PolicyContext(policy).self_test(); }), "self-test"));
}

TEST_CASE("a network that is not finite is not exported") {
    testing::SmallRun run;
    const auto bias = training::find_parameter(run.session->state(), "actor.layers.1.bias");
    REQUIRE(bias);
    std::vector<double> values = bias->group->read(bias->index);
    values[0] = std::nan("");
    bias->group->write(bias->index, values);
    CHECK(contains(error_of([&] { make_policy_file(*run.session, run.data, kProvenance); }),
                   "actor.layers.1.bias"));
    // All finite, but the last layer makes infinity minus infinity of it.
    values[0] = values[1] = 1e38;
    bias->group->write(bias->index, values);
    const auto weight = training::find_parameter(run.session->state(), "actor.layers.2.weight");
    REQUIRE(weight);
    std::vector<double> signs(16, 1e38);
    signs[1] = -1e38;
    weight->group->write(weight->index, signs);
    CHECK(contains(error_of([&] { make_policy_file(*run.session, run.data, kProvenance); }),
                   "overflow"));
}

TEST_CASE("wrong sizes are refused by act") {
    testing::SmallRun run;
    const LoadedPolicy policy(serialize(make_policy_file(*run.session, run.data, kProvenance)),
                              "p");
    PolicyContext context(policy);
    std::vector<float> observation(2), action(1);
    CHECK_THROWS_AS(context.act(observation, action), Error);
}

}  // namespace
}  // namespace drydock
