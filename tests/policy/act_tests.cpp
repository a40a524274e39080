#include <doctest/doctest.h>
#include <bit>
#include <cfenv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

#include "policy/forward.h"
#include "tests/policy/loaded.h"
#include "tests/policy/policy_file.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Row = std::vector<float>;

bool same_bits(const Row& a, const Row& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

const std::vector<std::vector<std::uint64_t>> kSizes = {
    {1, 1},    {3, 2},          {17, 6},         {9, 1, 9},         {4, 7, 3},
    {3, 8, 1}, {5, 24, 40, 17}, {11, 64, 64, 3}, {17, 100, 200, 6}, {17, 256, 256, 6},
};

std::vector<unsigned char> read_file(const std::string& name) {
    std::ifstream in(std::string(DRYDOCK_TEST_DATA) + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Row middle(const TestPolicy& p) {
    Row out;
    for (std::size_t i = 0; i < p.sizes.back(); ++i) {
        out.push_back(0.5f * p.tensors.at("action.low").values[i] +
                      0.5f * p.tensors.at("action.high").values[i]);
    }
    return out;
}

}  // namespace

TEST_CASE("actions agree with the formula in double precision") {
    for (const auto& sizes : kSizes) {
        for (const char* hidden : {"relu", "tanh"}) {
            for (const char* head : {"tanh_mean", "deterministic_tanh", "identity"}) {
                CAPTURE(sizes);
                CAPTURE(hidden);
                CAPTURE(head);
                const TestPolicy policy = make_policy(sizes, hidden, head);
                Loaded loaded(policy.bytes());
                REQUIRE_MESSAGE(loaded.status == DRYDOCK_OK, loaded.text());
                for (const Row& observation : make_observations(policy, 5)) {
                    const Row got = loaded.act(observation);
                    const std::vector<double> want = policy.oracle(observation);
                    for (std::size_t i = 0; i < want.size(); ++i) {
                        REQUIRE(std::abs(static_cast<double>(got[i]) - want[i]) < 5e-6);
                    }
                }
            }
        }
    }
}

TEST_CASE("actions have the bits that the documented order gives, on every path") {
    using namespace drydock::policy;
    for (const auto& sizes : kSizes) {
        for (const char* hidden : {"relu", "tanh"}) {
            CAPTURE(sizes);
            CAPTURE(hidden);
            const TestPolicy policy = make_policy(sizes, hidden);
            Loaded loaded(policy.bytes());
            REQUIRE(loaded.status == DRYDOCK_OK);
            const drydock_policy& model = *loaded.policy.handle();
            std::vector<float> workspace(mlp_workspace(model.architecture));
            for (const Row& observation : make_observations(policy, 5)) {
                const Row want = policy.exact(observation);
                REQUIRE(same_bits(loaded.act(observation), want));
                for (const Isa isa : {Isa::portable, best_isa()}) {
                    CAPTURE(name_of(isa));
                    Row got(sizes.back());
                    run_mlp(isa)(model, observation.data(), 0, workspace.data(), got.data());
                    REQUIRE(same_bits(got, want));
                }
            }
        }
    }
}

TEST_CASE("the committed example gives its expected actions, bit for bit") {
    Loaded loaded(read_file("example.safetensors"));
    REQUIRE_MESSAGE(loaded.status == DRYDOCK_OK, loaded.text());
    CHECK(loaded.context.self_test() == DRYDOCK_OK);
    std::ifstream table(std::string(DRYDOCK_TEST_DATA) + "/example_actions.txt");
    std::string line;
    int rows = 0;
    while (std::getline(table, line)) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        std::istringstream words(line);
        Row numbers;
        for (std::string word; words >> word;) {
            numbers.push_back(std::strtof(word.c_str(), nullptr));
        }
        REQUIRE(numbers.size() == 5);
        CHECK(same_bits(loaded.act({numbers.begin(), numbers.begin() + 3}),
                        {numbers.begin() + 3, numbers.end()}));
        ++rows;
    }
    CHECK(rows == 8);
}

TEST_CASE("self-test compares with the golden actions") {
    TestPolicy policy = make_policy({17, 64, 64, 6});
    Loaded none(policy.bytes());
    CHECK(none.context.self_test() == DRYDOCK_NO_GOLDEN);
    policy.add_golden(make_observations(policy, 10));
    Loaded good(policy.bytes());
    float error = -1;
    CHECK(good.context.self_test(&error) == DRYDOCK_OK);
    CHECK((error >= 0 && error < 1e-5f));
    policy.tensors["golden.actions"].values[59] += 2e-4f;
    policy.describe();
    Loaded bad(policy.bytes());
    CHECK(bad.context.self_test(&error) == DRYDOCK_SELF_TEST_FAILED);
    CHECK(error == doctest::Approx(2e-4f).epsilon(0.1));
}

TEST_CASE("an observation that is not finite gives the fallback action") {
    const TestPolicy policy = make_policy({3, 16, 2});
    Loaded loaded(policy.bytes());
    const Row good = make_observations(policy, 1)[0];
    drydock_act_status said = 0;
    for (const float bad : {kNan, kInfinity, -kInfinity, -kNan}) {
        for (std::size_t at = 0; at < 3; ++at) {
            Row observation = good;
            observation[at] = bad;
            loaded.context.reset();
            CHECK(same_bits(loaded.act(observation, &said), middle(policy)));
            CHECK(said == DRYDOCK_ACT_INPUT_NOT_FINITE);
            const Row action = loaded.act(good, &said);
            CHECK((said & DRYDOCK_ACT_INPUT_NOT_FINITE) == 0);
            CHECK_FALSE(same_bits(action, middle(policy)));
            CHECK(same_bits(loaded.act(observation), action));
            CHECK(same_bits(loaded.act(observation), action));
        }
    }
}

TEST_CASE("self-test and prewarm leave the held action alone") {
    TestPolicy policy = make_policy({3, 16, 2});
    policy.add_golden(make_observations(policy, 4, 77));
    Loaded loaded(policy.bytes());
    const Row action = loaded.act(make_observations(policy, 1)[0]);
    loaded.context.prewarm();
    CHECK(loaded.context.self_test() == DRYDOCK_OK);
    loaded.context.prepare_next();
    CHECK(same_bits(loaded.act({kNan, 0, 0}), action));
}

TEST_CASE("without finite bounds the first fallback is what is nearest to 0") {
    TestPolicy policy = make_policy({2, 4});
    policy.tensors["action.low"].values = {-kInfinity, 1.0f, -kInfinity, -3e38f};
    policy.tensors["action.high"].values = {kInfinity, kInfinity, -2.0f, 3e38f};
    policy.describe();
    Loaded loaded(policy.bytes());
    REQUIRE(loaded.status == DRYDOCK_OK);
    CHECK(same_bits(loaded.act({kNan, 0}), {0.0f, 1.0f, -2.0f, 0.0f}));
}

TEST_CASE("a network that overflows gives the fallback action and says so") {
    for (const char* hidden : {"relu", "tanh"}) {
        TestPolicy policy = make_policy({2, 8, 8, 1}, hidden, "identity");
        for (float& weight : policy.tensors["layers.2.weight"].values) {
            weight = 3e38f;
        }
        policy.tensors["layers.1.bias"].values.assign(8, 100.0f);
        policy.describe();
        Loaded loaded(policy.bytes());
        drydock_act_status said = 0;
        CHECK(same_bits(loaded.act({1, 1}, &said), middle(policy)));
        CHECK((said & DRYDOCK_ACT_OUTPUT_NOT_FINITE) != 0);
    }
}

TEST_CASE("clipped observations and clamped actions are reported") {
    TestPolicy policy = make_policy({2, 2}, "relu", "identity");
    policy.tensors["observation.mean"].values = {0, 0};
    policy.tensors["observation.std"].values = {1, 1};
    policy.tensors["observation.clip"].values = {5};
    policy.tensors["layers.0.weight"].values = {1, 0, 0, 1};
    policy.tensors["layers.0.bias"].values = {0, 0};
    policy.tensors["action.scale"].values = {2, 1};
    policy.tensors["action.bias"].values = {1, 0};
    policy.tensors["action.low"].values = {-4, -6};
    policy.tensors["action.high"].values = {6, 6};
    policy.describe();
    Loaded loaded(policy.bytes());
    drydock_act_status said = 0;
    CHECK(same_bits(loaded.act({2.5f, 5.0f}, &said), {6.0f, 5.0f}));
    CHECK(said == DRYDOCK_ACT_OK);
    CHECK(same_bits(loaded.act({2.0f, 5.5f}, &said), {5.0f, 5.0f}));
    CHECK(said == DRYDOCK_ACT_INPUT_OUT_OF_RANGE);
    CHECK(same_bits(loaded.act({-3.0f, 1.0f}, &said), {-4.0f, 1.0f}));
    CHECK(said == DRYDOCK_ACT_OUTPUT_CLAMPED);
    CHECK(same_bits(loaded.act({3e38f, -3e38f}, &said), {6.0f, -5.0f}));
    CHECK(said == (DRYDOCK_ACT_INPUT_OUT_OF_RANGE | DRYDOCK_ACT_OUTPUT_CLAMPED));
}

TEST_CASE("wrong calls write nothing") {
    const TestPolicy policy = make_policy({3, 8, 2});
    Loaded loaded(policy.bytes());
    float observation[4] = {}, action[3] = {7, 7, 7};
    const std::span<const float> in(observation, 3);
    const std::span<float> out(action, 2);
    using drydock::policy::Context;
    CHECK(loaded.context.act({observation, 4}, out) == DRYDOCK_ACT_BAD_CALL);
    CHECK(loaded.context.act({observation, 2}, out) == DRYDOCK_ACT_BAD_CALL);
    CHECK(loaded.context.act(in, {action, 3}) == DRYDOCK_ACT_BAD_CALL);
    CHECK(loaded.context.act(in, {action, 1}) == DRYDOCK_ACT_BAD_CALL);
    CHECK(Context().act(in, out) == DRYDOCK_ACT_BAD_CALL);
    CHECK(loaded.context.act({}, out) == DRYDOCK_ACT_BAD_CALL);
    CHECK((action[0] == 7 && action[1] == 7 && action[2] == 7));
    Context().reset();
    Context().prewarm();
    CHECK(Context().self_test() == DRYDOCK_BAD_CALL);
}

TEST_CASE("the caller's floating-point mode neither matters nor changes") {
    const TestPolicy policy = make_policy({17, 64, 6}, "tanh");
    Loaded loaded(policy.bytes());
    const Row observation = make_observations(policy, 1)[0];
    const Row want = loaded.act(observation);
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        std::fesetround(mode);
        std::feclearexcept(FE_ALL_EXCEPT);
        const Row got = loaded.act(observation);
        const int after = std::fegetround(), flags = std::fetestexcept(FE_INEXACT);
        std::fesetround(FE_TONEAREST);
        CHECK(after == mode);
        CHECK(flags == 0);
        CHECK(same_bits(got, want));
    }
}

TEST_CASE("subnormal numbers count as zero") {
    TestPolicy policy = make_policy({1, 1}, "relu", "identity");
    policy.tensors["observation.mean"].values = {0};
    policy.tensors["observation.std"].values = {1};
    policy.tensors["layers.0.weight"].values = {1e-39f};  // subnormal
    policy.tensors["layers.0.bias"].values = {0};
    policy.tensors["action.scale"].values = {1e38f};
    policy.tensors["action.bias"].values = {0};
    policy.describe();
    Loaded weight(policy.bytes());
    CHECK(weight.act({9.0f})[0] == 0.0f);
    policy.tensors["layers.0.weight"].values = {1.0f};
    policy.describe();
    Loaded input(policy.bytes());
    CHECK(input.act({1e-39f})[0] == 0.0f);
    CHECK(input.act({1.5e-38f})[0] > 1.0f);  // the smallest normal numbers do count
}

TEST_CASE("contexts of one policy do not see each other") {
    const TestPolicy policy = make_policy({3, 16, 2});
    Loaded loaded(policy.bytes());
    drydock::policy::Memory memory;
    REQUIRE(loaded.policy.context_memory(memory) == DRYDOCK_OK);
    const Block block = new_block(memory);
    drydock::policy::Context other;
    REQUIRE(drydock::policy::Context::create(loaded.policy, {block.get(), memory.size}, other) ==
            DRYDOCK_OK);
    loaded.act(make_observations(policy, 1)[0]);
    Row action(2);
    CHECK(other.act(Row{kNan, 0, 0}, action) == DRYDOCK_ACT_INPUT_NOT_FINITE);
    CHECK(same_bits(action, middle(policy)));
}
