#include <doctest/doctest.h>
#include <cmath>
#include <cstring>
#include <limits>

#include "policy/forward.h"
#include "policy/gelu.h"
#include "tests/policy/kinds.h"
#include "tests/policy/loaded.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

bool same_bits(const TestRow& a, const TestRow& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// What a caller may do after an act, besides giving the reward.
enum class Between { nothing, prepare, prepare_and_warm, self_test };

TestRows play(Loaded& loaded, const TestRows& observations, const TestRow& rewards,
              Between between = Between::prepare) {
    TestRows actions;
    for (std::size_t t = 0; t < observations.size(); ++t) {
        actions.push_back(loaded.act(observations[t]));
        CHECK(loaded.context.observe_reward(rewards[t]) == DRYDOCK_OK);
        if (between == Between::prepare || between == Between::prepare_and_warm) {
            loaded.context.prepare_next();
        }
        if (between == Between::prepare_and_warm) loaded.context.prewarm();
        if (between == Between::self_test) loaded.context.self_test();
    }
    return actions;
}

void check_close(const TestRows& got, const std::vector<std::vector<double>>& want) {
    REQUIRE(got.size() == want.size());
    for (std::size_t t = 0; t < want.size(); ++t) {
        CAPTURE(t);
        for (std::size_t i = 0; i < want[t].size(); ++i) {
            REQUIRE(std::abs(static_cast<double>(got[t][i]) - want[t][i]) < 2e-5);
        }
    }
}

void check_same(const TestRows& got, const TestRows& want) {
    REQUIRE(got.size() == want.size());
    for (std::size_t t = 0; t < want.size(); ++t) {
        CAPTURE(t);
        REQUIRE(same_bits(got[t], want[t]));
    }
}

TransformerShape shape_of(std::uint64_t layers, std::uint64_t heads, std::uint64_t dim,
                          std::uint64_t context, const char* activation) {
    TransformerShape shape;
    shape.layers = layers;
    shape.heads = heads;
    shape.dim = dim;
    shape.context = context;
    shape.activation = activation;
    return shape;
}

}  // namespace

TEST_CASE("gelu is near x Phi(x) everywhere") {
    for (float x = -30.0f; x < 30.0f; x += 0.00371f) {
        const double exact =
            0.5 * static_cast<double>(x) * std::erfc(-static_cast<double>(x) / std::sqrt(2.0));
        const double got = static_cast<double>(drydock::policy::gelu<drydock::DefaultFma>(x));
        REQUIRE(std::abs(got - exact) <= 3e-7 * std::abs(static_cast<double>(x)));
    }
    CHECK(drydock::policy::gelu<drydock::DefaultFma>(0.0f) == 0.0f);
    CHECK(std::isnan(drydock::policy::gelu<drydock::DefaultFma>(kNan)));
}

TEST_CASE("a transformer agrees with the whole window computed anew, beyond it and the episode") {
    // More steps than the context and than episode_len, which is 12.
    const TestRows observations = episode_observations(3, 17);
    const TestRow rewards = episode_rewards(17);
    for (const TransformerShape& shape :
         {shape_of(1, 1, 8, 4, "relu"), shape_of(2, 2, 16, 4, "gelu"),
          shape_of(3, 1, 24, 5, "gelu"), shape_of(3, 3, 27, 3, "relu"),
          shape_of(2, 1, 16, 1, "gelu"), shape_of(2, 1, 16, 2, "relu"),
          shape_of(2, 4, 72, 12, "gelu")}) {
        CAPTURE(shape.text());
        const TestPolicy policy = make_transformer(shape);
        Loaded loaded(policy.bytes());
        REQUIRE_MESSAGE(loaded.status == DRYDOCK_OK, loaded.text());
        check_close(play(loaded, observations, rewards),
                    transformer_oracle(policy, shape, observations, rewards, 200.0));
    }
}

TEST_CASE("a wide transformer of the usual shape agrees too") {
    TransformerShape shape;
    shape.observations = 17;
    shape.actions = 6;
    shape.layers = 3;
    shape.heads = 1;
    shape.dim = 128;
    shape.mlp_dim = 512;
    shape.context = 6;
    shape.episode_len = 1000;
    const TestPolicy policy = make_transformer(shape);
    const TestRows observations = episode_observations(17, 11);
    const TestRow rewards = episode_rewards(11);
    Loaded loaded(policy.bytes());
    check_close(play(loaded, observations, rewards),
                transformer_oracle(policy, shape, observations, rewards, 200.0));
}

TEST_CASE("when the work is done changes no bit, nor what is asked in between") {
    const TransformerShape shape;
    TestPolicy policy = make_transformer(shape);
    const TestRows observations = episode_observations(3, 15);
    const TestRow rewards = episode_rewards(15);
    add_golden_episode(policy, shape, episode_observations(3, 9, 99), episode_rewards(9));
    Loaded loaded(policy.bytes());
    const TestRows want = play(loaded, observations, rewards, Between::nothing);
    for (const Between between :
         {Between::nothing, Between::prepare, Between::prepare_and_warm, Between::self_test}) {
        loaded.context.reset();
        check_same(play(loaded, observations, rewards, between), want);
    }
}

TEST_CASE("a transformer has the same bits on every path") {
    using namespace drydock::policy;
    const TransformerShape shape = shape_of(3, 2, 40, 4, "gelu");
    const TestPolicy policy = make_transformer(shape);
    const TestRows observations = episode_observations(3, 12);
    const TestRow rewards = episode_rewards(12);
    TestRows all[2];
    for (const Isa isa : {Isa::portable, best_isa()}) {
        Loaded loaded(policy.bytes());
        // The block is the test's own, so that it may change what lies in it.
        auto* model = reinterpret_cast<drydock_policy*>(loaded.policy_block.get());
        REQUIRE(model == loaded.policy.handle());
        model->sequence = transformer_functions(isa);
        all[isa == Isa::portable ? 0 : 1] = play(loaded, observations, rewards);
    }
    if (best_isa() != Isa::portable) check_same(all[0], all[1]);
}

TEST_CASE("a self-test plays the golden episode") {
    const TransformerShape shape;
    TestPolicy policy = make_transformer(shape);
    Loaded none(policy.bytes());
    CHECK(none.context.self_test() == DRYDOCK_NO_GOLDEN);
    add_golden_episode(policy, shape, episode_observations(3, 9), episode_rewards(9));
    Loaded good(policy.bytes());
    float error = -1;
    CHECK(good.context.self_test(&error) == DRYDOCK_OK);
    CHECK((error >= 0 && error < 1e-5f));
    good.context.set_target_return(-50.0f);  // it is the file's target that the rows go with
    CHECK(good.context.self_test() == DRYDOCK_OK);
    policy.tensors["golden.rewards"].values[2] += 50.0f;
    policy.describe();
    Loaded bad(policy.bytes());
    CHECK(bad.context.self_test() == DRYDOCK_SELF_TEST_FAILED);
}

TEST_CASE("the target return counts from the next act on and for later episodes") {
    const TransformerShape shape;
    const TestPolicy policy = make_transformer(shape);
    const TestRows observations = episode_observations(3, 8);
    const TestRow rewards = episode_rewards(8), none(8, 0.0f);
    Loaded loaded(policy.bytes());
    CHECK(loaded.context.set_target_return(-120.0f) == DRYDOCK_OK);
    const auto want = transformer_oracle(policy, shape, observations, rewards, -120.0);
    check_close(play(loaded, observations, rewards), want);
    loaded.context.reset();
    check_close(play(loaded, observations, rewards), want);
    CHECK(loaded.context.set_target_return(kNan) == DRYDOCK_NOT_FINITE);
    CHECK(loaded.context.observe_reward(std::numeric_limits<float>::infinity()) ==
          DRYDOCK_NOT_FINITE);
    loaded.context.reset();
    check_close(play(loaded, observations, none),
                transformer_oracle(policy, shape, observations, none, -120.0));
}

TEST_CASE("an episode beyond episode_len is reported") {
    TransformerShape shape;
    shape.episode_len = 5;
    Loaded loaded(make_transformer(shape).bytes());
    drydock_act_status said = 0;
    const TestRows observations = episode_observations(3, 7);
    for (std::size_t t = 0; t < 7; ++t) {
        loaded.act(observations[t], &said);
        CHECK(((said & DRYDOCK_ACT_TIME_BEYOND) != 0) == (t >= 5));
    }
    loaded.context.reset();
    loaded.act(observations[0], &said);
    CHECK((said & DRYDOCK_ACT_TIME_BEYOND) == 0);
}

TEST_CASE("a step that is not finite is left out of what is remembered") {
    const TransformerShape shape = shape_of(2, 2, 16, 3, "gelu");
    const TestPolicy policy = make_transformer(shape);
    const TestRows observations = episode_observations(3, 12);
    Loaded one(policy.bytes()), other(policy.bytes());
    drydock_act_status said = 0;
    for (std::size_t t = 0; t < 12; ++t) {
        if (t == 2 || t == 7) {
            TestRow bad = observations[t];
            bad[1] = t == 2 ? kNan : std::numeric_limits<float>::infinity();
            const TestRow held = t == 2 ? one.act(bad, &said) : other.act(bad, &said);
            CHECK(said == DRYDOCK_ACT_INPUT_NOT_FINITE);
            if (t == 2) CHECK(same_bits(held, other.act({kNan, 0, 0})));
            if (t == 7) CHECK(same_bits(held, one.act({kNan, 0, 0})));
            one.context.prepare_next();
            continue;
        }
        CHECK(same_bits(one.act(observations[t], &said), other.act(observations[t])));
        CHECK((said & DRYDOCK_ACT_INPUT_NOT_FINITE) == 0);
    }
}

TEST_CASE("a transformer says what it is") {
    const TransformerShape shape;
    TestPolicy policy = make_transformer(shape);
    const Loaded loaded(policy.bytes());
    const drydock_policy_info info = loaded.policy.info();
    CHECK(std::string(info.kind) == "decision_transformer");
    CHECK(info.observation_size == 3);
    CHECK(info.action_size == 2);
    CHECK(info.layers == 2);
    CHECK(info.context_length == 4);
    CHECK(info.action_count == 0);
    std::uint64_t parameters = 0;
    for (const auto& [name, tensor] : policy.tensors) {
        const bool network = name.rfind("embed", 0) == 0 || name.rfind("blocks", 0) == 0 ||
                             name.rfind("final", 0) == 0 || name.rfind("predict", 0) == 0;
        parameters += network ? tensor.values.size() : 0;
    }
    CHECK(info.parameters == parameters);
}
