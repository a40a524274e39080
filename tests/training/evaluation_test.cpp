#include "training/evaluation.h"

#include <doctest/doctest.h>

#include "core/safetensors.h"
#include "tests/training/support.h"
#include "training/export.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;
using training::evaluate_policy;
using training::EvaluationOptions;

std::vector<std::byte> small_policy() {
    testing::SmallRun run;
    return serialize(
        training::make_policy_file(*run.session, run.data, {"iql", "corl", "", 7, {}}));
}

EvaluationOptions pendulum(int threads, std::uint64_t seed) {
    EvaluationOptions options;
    options.environment = "pendulum";
    options.episodes = 5;
    options.seed = seed;
    options.threads = threads;
    return options;
}

TEST_CASE("evaluation does not depend on threads") {
    const std::vector<std::byte> policy = small_policy();
    const auto one = evaluate_policy(policy, "policy", pendulum(1, 3));
    const auto three = evaluate_policy(policy, "policy", pendulum(3, 3));
    const auto other = evaluate_policy(policy, "policy", pendulum(1, 4));
    REQUIRE(one.episodes.size() == 5);
    double mean = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(one.episodes[i].episode == static_cast<std::int64_t>(i));
        CHECK(one.episodes[i].episode_return == three.episodes[i].episode_return);
        CHECK(one.episodes[i].episode_return != other.episodes[i].episode_return);
        CHECK(one.episodes[i].length == 200);
        CHECK(one.episodes[i].fallbacks == 0);
        mean += one.episodes[i].episode_return / 5;
    }
    CHECK(one.return_mean == doctest::Approx(mean));
    CHECK(one.return_std > 0);
    const auto environment = envs::make_environment("pendulum");
    CHECK(one.score_mean == envs::normalized_score(environment->info(), one.return_mean));
}

TEST_CASE("evaluation refuses what it cannot score") {
    const std::vector<std::byte> policy = small_policy();
    EvaluationOptions none = pendulum(1, 0);
    none.episodes = 0;
    CHECK_THROWS_AS(evaluate_policy(policy, "policy", none), Error);
    EvaluationOptions unknown = pendulum(1, 0);
    unknown.environment = "moon";
    CHECK(contains(error_of([&] { evaluate_policy(policy, "policy", unknown); }), "moon"));
    const std::vector<std::byte> half(policy.begin(), policy.begin() + 200);
    CHECK(contains(error_of([&] { evaluate_policy(half, "half.safetensors", pendulum(1, 0)); }),
                   "half.safetensors"));
}

TEST_CASE("a policy of other sizes is refused") {
    TensorFile file = parse_tensor_file(small_policy(), "policy");
    file.metadata["architecture"] =
        R"({"hidden_activation": "relu", "head": "tanh_mean", "layer_sizes": [2, 1]})";
    file.metadata.erase("sha256_data");
    const float values[2] = {0.5f, 0.5f};
    for (const char* name : {"golden.observations", "golden.actions", "layers.1.weight",
                             "layers.1.bias", "layers.2.weight", "layers.2.bias"}) {
        file.tensors.erase(name);
    }
    for (const char* name : {"observation.mean", "observation.std"}) {
        file.tensors[name] = TensorData::of({2}, std::span<const float>(values));
    }
    file.tensors["layers.0.weight"] = TensorData::of({1, 2}, std::span<const float>(values));
    file.tensors["layers.0.bias"] = TensorData::of({1}, std::span<const float>(values, 1));
    CHECK(contains(error_of([&] { evaluate_policy(serialize(file), "policy", pendulum(1, 0)); }),
                   "2 and 1"));
}

}  // namespace
}  // namespace drydock
