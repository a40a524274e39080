#include <doctest/doctest.h>
#include <functional>
#include <limits>

#include "tests/policy/kinds.h"
#include "tests/policy/loaded.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

drydock_status refusal(TestPolicy policy, const std::function<void(TestPolicy&)>& change,
                       const std::string& word) {
    change(policy);
    policy.describe();
    const Loaded loaded(policy.bytes());
    CAPTURE(loaded.text());
    CHECK(loaded.text().find(word) != std::string::npos);
    CHECK_FALSE(loaded.policy);
    return loaded.status;
}

// The architecture with `from` replaced by `to`.
drydock_status with_text(const TestPolicy& policy, const std::string& from, const std::string& to,
                         const std::string& word) {
    CAPTURE(to);
    return refusal(
        policy,
        [&](TestPolicy& p) {
            const std::size_t at = p.architecture.find(from);
            REQUIRE(at != std::string::npos);
            p.architecture.replace(at, from.size(), to);
        },
        word);
}

void check_every_tensor(const TestPolicy& whole) {
    for (const auto& entry : whole.tensors) {
        const std::string& name = entry.first;
        CAPTURE(name);
        const auto drop = [&](TestPolicy& p) { p.tensors.erase(name); };
        CHECK(refusal(whole, drop, name) == DRYDOCK_MISSING_TENSOR);
        const auto reshape = [&](TestPolicy& p) {
            p.tensors[name].shape.push_back(2);
            p.tensors[name].values.resize(2 * p.tensors[name].values.size());
        };
        CHECK(refusal(whole, reshape, "[" + name + "] expected shape") == DRYDOCK_WRONG_SHAPE);
        const auto retype = [&](TestPolicy& p) { p.tensors[name].dtype = "I32"; };
        CHECK(refusal(whole, retype, "expected F32") == DRYDOCK_WRONG_DTYPE);
        const auto poison = [&](TestPolicy& p) { p.tensors[name].values[0] = kNan; };
        CHECK(refusal(whole, poison, name) == DRYDOCK_NOT_FINITE);
    }
}

}  // namespace

TEST_CASE("every tensor of every kind must be there, of its shape and type, and finite") {
    check_every_tensor(make_best_of_n({}));
    check_every_tensor(make_transformer({}));
}

TEST_CASE("an architecture of best_of_n that makes no sense is refused") {
    const TestPolicy policy = make_best_of_n({});
    const auto with = [&](const char* from, const char* to, const char* word) {
        return with_text(policy, from, to, word);
    };
    CHECK(with(R"("samples":10)", R"("samples":0)", "samples must be") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("samples":10)", R"("samples":2000000)", "1048576") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("seed":5)", R"("seed":-5)", "seed must be") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"(,"seed":5)", "", "expected hidden_activation layer_sizes") ==
          DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("action_size":2)", R"("action_size":5)", "action_size") ==
          DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with("[5,16,8,1]", "[5,16,8,2]", "and 1") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with("[5,16,8,1]", "[5,1]", "a hidden layer") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("seed":5)", R"("seed":5,"head":"identity")", "unknown member") ==
          DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("action_size":2)", R"("action_size":1)", "expected shape (4)") ==
          DRYDOCK_WRONG_SHAPE);
}

TEST_CASE("an architecture of a transformer that makes no sense is refused") {
    const TestPolicy policy = make_transformer({});
    const auto with = [&](const char* from, const char* to, const char* word) {
        return with_text(policy, from, to, word);
    };
    CHECK(with(R"("heads":2)", R"("heads":3)", "multiple of heads") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("heads":2)", R"("heads":0)", "heads must be") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("layers":2)", R"("layers":9)", "from 1 to 8") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("layers":2)", R"("layers":3)", "blocks.2.norm1.weight") ==
          DRYDOCK_MISSING_TENSOR);
    CHECK(with(R"("layers":2)", R"("layers":1)", "expected 12 tensors blocks.*, got 24") ==
          DRYDOCK_EXTRA_TENSOR);
    CHECK(with(R"("context_length":4)", R"("context_length":13)", "at most episode_len") ==
          DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("episode_len":12)", R"("episode_len":11)", "embed_timestep.weight") ==
          DRYDOCK_WRONG_SHAPE);
    CHECK(with(R"("gelu")", R"("tanh")", "it knows relu gelu") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("deterministic_tanh")", R"("argmax")", "argmax") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"(,"mlp_dim":24)", "", "mlp_dim") == DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with(R"("mlp_dim":24)", R"("mlp_dim":"24")", "mlp_dim must be") ==
          DRYDOCK_BAD_ARCHITECTURE);
    CHECK(with("{", "{\"layer_sizes\":[3,2],", "unknown member") == DRYDOCK_BAD_ARCHITECTURE);
}

TEST_CASE("values of the kinds that are out of range are refused") {
    const auto set = [](const char* name, float value) {
        return [=](TestPolicy& p) { p.tensors[name].values[0] = value; };
    };
    const TestPolicy transformer = make_transformer({});
    CHECK(refusal(transformer, set("norm.epsilon", 0.0f), "above 0") == DRYDOCK_BAD_VALUE);
    CHECK(refusal(transformer, set("return.scale", -1.0f), "above 0") == DRYDOCK_BAD_VALUE);
    const TestPolicy choosing = make_choosing({3, 8, 4});
    CHECK(refusal(choosing, set("action.scale", 2.0f), "argmax") == DRYDOCK_BAD_VALUE);
    CHECK(refusal(choosing, set("action.bias", 1.0f), "argmax") == DRYDOCK_BAD_VALUE);
    CHECK(refusal(choosing, set("action.low", -1.0f), "argmax") == DRYDOCK_BAD_VALUE);
    CHECK(refusal(choosing, set("action.high", 4.0f), "argmax") == DRYDOCK_BAD_VALUE);
    CHECK(refusal(
              choosing,
              [](TestPolicy& p) {
                  p.tensors["action.low"] = {{4}, {0.0f, 0.0f, 0.0f, 0.0f}};
              },
              "expected shape (1)") == DRYDOCK_WRONG_SHAPE);
}

TEST_CASE("a transformer's golden rows have rewards") {
    const TransformerShape shape;
    TestPolicy policy = make_transformer(shape);
    add_golden_episode(policy, shape, episode_observations(3, 6), episode_rewards(6));
    REQUIRE(Loaded(policy.bytes()).status == DRYDOCK_OK);
    CHECK(refusal(
              policy, [](TestPolicy& p) { p.tensors.erase("golden.rewards"); }, "golden.rewards") ==
          DRYDOCK_MISSING_TENSOR);
    CHECK(refusal(
              policy,
              [](TestPolicy& p) {
                  p.tensors["golden.rewards"] = {{1}, {0.0f}};
              },
              "expected shape (6)") == DRYDOCK_WRONG_SHAPE);
    CHECK(refusal(
              policy, [](TestPolicy& p) { p.tensors["golden.rewards"].values[3] = kNan; },
              "golden.rewards] element 3") == DRYDOCK_NOT_FINITE);
}

TEST_CASE("a caller of the first ABI gets the members that it knows") {
    Loaded loaded(make_choosing({3, 8, 4}).bytes());
    drydock_policy_info info{};
    info.abi_version = 1;
    info.struct_size = offsetof(drydock_policy_info, action_count);
    info.action_count = 77;
    CHECK(drydock_policy_get_info(loaded.policy.handle(), &info) == DRYDOCK_OK);
    CHECK(info.observation_size == 3);
    CHECK(info.action_count == 77);
    info.abi_version = 2;
    CHECK(drydock_policy_get_info(loaded.policy.handle(), &info) == DRYDOCK_BAD_CALL);
}
