#include <doctest/doctest.h>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "policy/forward.h"
#include "tests/policy/kinds.h"
#include "tests/policy/loaded.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("argmax acts by the number of the largest output") {
    TestPolicy policy = make_choosing({3, 16, 5});
    Loaded loaded(policy.bytes());
    REQUIRE_MESSAGE(loaded.status == DRYDOCK_OK, loaded.text());
    const drydock_policy_info info = loaded.policy.info();
    CHECK(info.action_size == 1);
    CHECK(info.action_count == 5);
    CHECK(info.context_length == 1);
    // The values that it chooses from.
    TestPolicy values = make_policy({3, 16, 5}, "relu", "identity");
    values.tensors["action.scale"].values.assign(5, 1.0f);
    values.tensors["action.bias"].values.assign(5, 0.0f);
    values.tensors["action.low"].values.assign(5, -1e9f);
    values.tensors["action.high"].values.assign(5, 1e9f);
    std::set<std::size_t> met;
    for (const TestRow& observation : make_observations(policy, 60)) {
        const std::vector<double> all = values.oracle(observation);
        const auto best =
            static_cast<std::size_t>(std::max_element(all.begin(), all.end()) - all.begin());
        drydock_act_status said = 99;
        CHECK(loaded.act(observation, &said) == TestRow{static_cast<float>(best)});
        CHECK((said & ~DRYDOCK_ACT_INPUT_OUT_OF_RANGE) == DRYDOCK_ACT_OK);
        met.insert(best);
    }
    CHECK(met.size() > 1);
}

TEST_CASE("argmax takes the lowest of equal outputs and falls back to choice 0") {
    TestPolicy policy = make_choosing({2, 4});
    policy.tensors["layers.0.weight"].values.assign(8, 0.0f);
    policy.tensors["layers.0.bias"].values = {-1.0f, 2.0f, 2.0f, 0.0f};
    policy.describe();
    Loaded loaded(policy.bytes());
    drydock_act_status said = 0;
    CHECK(loaded.act({kNan, 0}, &said) == TestRow{0.0f});
    CHECK(said == DRYDOCK_ACT_INPUT_NOT_FINITE);
    CHECK(loaded.act({1, 2}) == TestRow{1.0f});
    CHECK(loaded.act({kNan, 0}) == TestRow{1.0f});
    CHECK(loaded.context.observe_reward(1.0f) == DRYDOCK_NOT_USED);
    CHECK(loaded.context.set_target_return(1.0f) == DRYDOCK_NOT_USED);
    CHECK(drydock::policy::Context().observe_reward(1.0f) == DRYDOCK_BAD_CALL);
    policy.tensors["layers.0.weight"].values.assign(8, 3e38f);
    policy.describe();
    Loaded overflow(policy.bytes());
    CHECK(overflow.act({9, 9}, &said) == TestRow{0.0f});
    CHECK((said & DRYDOCK_ACT_OUTPUT_NOT_FINITE) != 0);
}

TEST_CASE("best_of_n acts by the best candidate of each call") {
    for (const char* activation : {"relu", "tanh"}) {
        for (const std::uint64_t samples : {1, 3, 10, 101}) {
            BestOfNShape shape;
            shape.activation = activation;
            shape.samples = samples;
            CAPTURE(samples);
            const TestPolicy policy = make_best_of_n(shape);
            Loaded loaded(policy.bytes());
            REQUIRE_MESSAGE(loaded.status == DRYDOCK_OK, loaded.text());
            CHECK(std::string(loaded.policy.info().kind) == "best_of_n");
            for (int episode = 0; episode < 2; ++episode) {  // a reset starts the candidates again
                std::uint64_t call = 0;
                for (const TestRow& observation : episode_observations(3, 20)) {
                    const TestRow got = loaded.act(observation);
                    const auto want = best_of_n_oracle(policy, shape, observation, call++);
                    for (std::size_t i = 0; i < want.size(); ++i) {
                        REQUIRE(std::abs(static_cast<double>(got[i]) - want[i]) < 1e-6);
                    }
                    loaded.context.prewarm();
                    loaded.context.prepare_next();
                }
                loaded.context.reset();
            }
        }
    }
}

TEST_CASE("best_of_n has the same bits on every path, and those of candidates one by one") {
    using namespace drydock::policy;
    BestOfNShape shape;
    shape.hidden = {70, 30, 9};
    shape.observations = 11;
    shape.actions = 5;
    shape.samples = 23;
    const TestPolicy policy = make_best_of_n(shape);
    Loaded loaded(policy.bytes());
    const drydock_policy& model = *loaded.policy.handle();
    std::vector<float> workspace(best_of_n_workspace(model.architecture));
    std::uint64_t call = 0;
    for (const TestRow& observation : episode_observations(11, 12)) {
        const TestRow want = loaded.act(observation);
        for (const Isa isa : {Isa::portable, best_isa()}) {
            TestRow got(5);
            run_best_of_n(isa)(model, observation.data(), call, workspace.data(), got.data());
            REQUIRE(std::memcmp(got.data(), want.data(), 5 * sizeof(float)) == 0);
        }
        ++call;
    }
}

TEST_CASE("best_of_n tests itself with the candidates of the row's number") {
    const BestOfNShape shape;
    TestPolicy policy = make_best_of_n(shape);
    const TestRows observations = episode_observations(3, 6);
    TestTensor in{{6, 3}, {}}, out{{6, 2}, {}};
    for (std::size_t row = 0; row < 6; ++row) {
        in.values.insert(in.values.end(), observations[row].begin(), observations[row].end());
        for (const double a : best_of_n_oracle(policy, shape, observations[row], row)) {
            out.values.push_back(static_cast<float>(a));
        }
    }
    policy.tensors["golden.observations"] = in;
    policy.tensors["golden.actions"] = out;
    policy.describe();
    Loaded loaded(policy.bytes());
    const TestRow first = loaded.act(observations[0]);
    loaded.act(observations[1]);
    CHECK(loaded.context.self_test() == DRYDOCK_OK);
    const auto want = best_of_n_oracle(policy, shape, observations[0], 2);  // goes on undisturbed
    CHECK(std::abs(static_cast<double>(loaded.act(observations[0])[0]) - want[0]) < 1e-6);
    policy.tensors["golden.actions"].values[4] += 0.01f;
    policy.describe();
    Loaded bad(policy.bytes());
    CHECK(bad.context.self_test() == DRYDOCK_SELF_TEST_FAILED);
}
