#include <doctest/doctest.h>
#include <limits>
#include <random>

#include "tests/policy/loaded.h"
#include "tests/policy/policy_file.h"

namespace {

TestPolicy small() { return make_policy({3, 8, 2}); }

// Loads the policy after `change` and gives the status; the text must mention `word`.
template <class Change>
drydock_status refusal(Change change, const std::string& word) {
    TestPolicy policy = small();
    change(policy);
    const Loaded loaded(policy.bytes());
    CAPTURE(loaded.text());
    CHECK(loaded.text().find(word) != std::string::npos);
    CHECK_FALSE(loaded.policy);
    CHECK(loaded.diagnosis.status == loaded.status);
    return loaded.status;
}

drydock_status with_metadata(const std::string& key, const std::string& value,
                             const std::string& word) {
    return refusal([&](TestPolicy& p) { p.metadata[key] = value; }, word);
}

drydock_status with_value(const std::string& tensor, std::size_t i, float value,
                          const std::string& word) {
    return refusal(
        [&](TestPolicy& p) {
            p.tensors[tensor].values[i] = value;
            p.describe();
        },
        word);
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("a policy says what it is") {
    TestPolicy policy = make_policy({17, 256, 256, 6});
    policy.metadata["schema"] = "1.7";
    policy.metadata["algorithm"] = "iql";
    policy.add_golden(make_observations(policy, 3));
    const Loaded loaded(policy.bytes());
    REQUIRE_MESSAGE(loaded.status == DRYDOCK_OK, loaded.text());
    const drydock_policy_info info = loaded.policy.info();
    CHECK(info.observation_size == 17);
    CHECK(info.action_size == 6);
    CHECK(info.layers == 3);
    CHECK(info.parameters == 18 * 256 + 257 * 256 + 257 * 6);
    CHECK(info.golden_rows == 3);
    CHECK(info.schema_major == 1);
    CHECK(info.schema_minor == 7);
    CHECK(std::string(info.kind) == "mlp");
}

TEST_CASE("files of another purpose are refused") {
    CHECK(Loaded({}).status == DRYDOCK_NOT_SAFETENSORS);
    CHECK(Loaded(std::vector<unsigned char>(100, 'x')).status == DRYDOCK_NOT_SAFETENSORS);
    CHECK(with_metadata("format", "pt", "got pt") == DRYDOCK_NOT_A_POLICY);
    CHECK(refusal([](TestPolicy& p) { p.metadata.erase("format"); }, "got none") ==
          DRYDOCK_NOT_A_POLICY);
    CHECK(refusal([](TestPolicy& p) { p.metadata.clear(); }, "drydock.policy") ==
          DRYDOCK_NOT_A_POLICY);
    CHECK(refusal(
              [](TestPolicy& p) {
                  for (int i = 0; i < 200; ++i) {
                      p.tensors["extra" + std::to_string(i)] = {{}, {0.0f}};
                  }
              },
              "at most 128") == DRYDOCK_NOT_A_POLICY);
}

TEST_CASE("other major versions and unknown features are refused") {
    for (const char* schema : {"2.0", "0.9", "1", "1.", ".0", "1.0.0", "one", "", "1.x", " 1.0",
                               "4294967297.0", "-1.0"}) {
        CAPTURE(schema);
        CHECK(with_metadata("schema", schema, "schema 1.x") == DRYDOCK_UNSUPPORTED_SCHEMA);
    }
    CHECK(refusal([](TestPolicy& p) { p.metadata.erase("schema"); }, "got none") ==
          DRYDOCK_UNSUPPORTED_SCHEMA);
    CHECK(with_metadata("required_features", "kv_banded", "kv_banded") ==
          DRYDOCK_UNSUPPORTED_SCHEMA);
    CHECK(with_metadata("kind", "decision_tree", "got decision_tree") == DRYDOCK_UNSUPPORTED_KIND);
    CHECK(refusal([](TestPolicy& p) { p.metadata.erase("kind"); }, "none") ==
          DRYDOCK_UNSUPPORTED_KIND);
}

TEST_CASE("architectures outside the description are refused") {
    const struct {
        const char *text, *word;
    } bad[] = {
        {"", "JSON object"},
        {"[]", "JSON object"},
        {"{}", "malformed"},
        {R"({"head":"tanh_mean","layer_sizes":[3,8,2]})", "expected hidden_activation"},
        {R"({"hidden_activation":"gelu","head":"tanh_mean","layer_sizes":[3,8,2]})", "gelu"},
        {R"({"hidden_activation":"relu","head":"softmax","layer_sizes":[3,8,2]})", "softmax"},
        {R"({"hidden_activation":"relu","head":1,"layer_sizes":[3,8,2]})", "string"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":[3]})", "at least 2"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":[]})", "layer_sizes"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":3})", "layer_sizes"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":[3,0,2]})", "65536"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":[3,65537,2]})", "65536"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":[3,8.5,2]})",
         "layer_sizes"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":[3,8,2]} x)", "malformed"},
        {R"({"hidden_activation":"relu","head":"identity","layer_sizes":[3,8,2],"norm":1})",
         "unknown member \"norm\""},
        {R"({"head":"identity","head":"identity","layer_sizes":[3,8,2]})", "repeated"},
    };
    for (const auto& each : bad) {
        CAPTURE(each.text);
        CHECK(with_metadata("architecture", each.text, each.word) == DRYDOCK_BAD_ARCHITECTURE);
    }
    std::string many = "3";
    for (int i = 0; i < 33; ++i) {
        many += ",8";
    }
    CHECK(with_metadata(
              "architecture",
              R"({"hidden_activation":"relu","head":"identity","layer_sizes":[)" + many + "]}",
              "2 to 33") == DRYDOCK_BAD_ARCHITECTURE);
}

TEST_CASE("every tensor must be there, of its shape and type") {
    const TestPolicy whole = small();
    for (const auto& entry : whole.tensors) {
        const std::string& name = entry.first;
        CAPTURE(name);
        CHECK(refusal(
                  [&](TestPolicy& p) {
                      p.tensors.erase(name);
                      p.describe();
                  },
                  name) == DRYDOCK_MISSING_TENSOR);
        CHECK(refusal(
                  [&](TestPolicy& p) {
                      p.tensors[name].shape.push_back(2);
                      p.tensors[name].values.resize(2 * p.tensors[name].values.size());
                      p.describe();
                  },
                  "[" + name + "] expected shape") == DRYDOCK_WRONG_SHAPE);
        CHECK(refusal([&](TestPolicy& p) { p.tensors[name].dtype = "I32"; }, "expected F32") ==
              DRYDOCK_WRONG_DTYPE);
        CHECK(with_value(name, 0, kNan, name) == DRYDOCK_NOT_FINITE);
    }
    CHECK(refusal(
              [](TestPolicy& p) {
                  p.tensors["layers.0.weight"].shape = {3, 8};
                  p.describe();
              },
              "expected shape (8, 3), got (3, 8)") == DRYDOCK_WRONG_SHAPE);
    CHECK(refusal(
              [](TestPolicy& p) {
                  p.tensors["layers.2.bias"] = {{1}, {0.0f}};
                  p.describe();
              },
              "expected 4") == DRYDOCK_EXTRA_TENSOR);
}

TEST_CASE("golden tensors come in pairs that fit") {
    const auto golden = [](const char* name, TestTensor tensor) {
        return [=](TestPolicy& p) {
            p.add_golden(make_observations(p, 2));
            p.tensors[name] = tensor;
            p.describe();
        };
    };
    CHECK(refusal(golden("golden.actions", {{1, 2}, {0.0f, 0.0f}}), "golden.actions") ==
          DRYDOCK_WRONG_SHAPE);
    CHECK(refusal(golden("golden.observations", {{}, {0.0f}}), "golden.observations") ==
          DRYDOCK_WRONG_SHAPE);
    CHECK(refusal(
              [](TestPolicy& p) {
                  p.add_golden(make_observations(p, 2));
                  p.tensors.erase("golden.observations");
                  p.describe();
              },
              "golden.observations") == DRYDOCK_MISSING_TENSOR);
    CHECK(refusal(
              [](TestPolicy& p) {
                  p.add_golden(make_observations(p, 2));
                  p.tensors["golden.actions"].values[1] = kNan;
                  p.describe();
              },
              "golden.actions] element 1") == DRYDOCK_NOT_FINITE);
}

TEST_CASE("values that make no sense are refused") {
    CHECK(with_value("layers.0.weight", 5, kInfinity, "element 5") == DRYDOCK_NOT_FINITE);
    CHECK(with_value("layers.1.bias", 1, -kInfinity, "layers.1.bias") == DRYDOCK_NOT_FINITE);
    CHECK(with_value("observation.std", 2, 0.0f, "element 2") == DRYDOCK_BAD_VALUE);
    CHECK(with_value("observation.std", 2, -1.0f, "above 0") == DRYDOCK_BAD_VALUE);
    CHECK(with_value("observation.std", 2, 1e-40f, "above 0") == DRYDOCK_BAD_VALUE);
    CHECK(with_value("observation.std", 2, kInfinity, "std") == DRYDOCK_NOT_FINITE);
    CHECK(with_value("observation.clip", 0, 0.0f, "clip") == DRYDOCK_BAD_VALUE);
    CHECK(with_value("action.low", 1, 50.0f, "action.high") == DRYDOCK_BAD_VALUE);
}

TEST_CASE("infinite clip and bounds are fine") {
    TestPolicy policy = small();
    policy.tensors["observation.clip"].values = {kInfinity};
    policy.tensors["action.low"].values = {-kInfinity, -kInfinity};
    policy.tensors["action.high"].values = {kInfinity, kInfinity};
    policy.describe();
    CHECK(Loaded(policy.bytes()).status == DRYDOCK_OK);
}

TEST_CASE("a damaged weight is noticed by the checksum, and only by it") {
    const TestPolicy policy = small();
    std::vector<unsigned char> file = policy.bytes();
    file[file.size() - 2] ^= 1;
    const Loaded damaged(file);
    CHECK(damaged.status == DRYDOCK_CHECKSUM_MISMATCH);
    CHECK(damaged.text().find("sha256_data") != std::string::npos);
    TestPolicy unchecked = policy;
    unchecked.metadata.erase("sha256_data");
    file = unchecked.bytes();
    file[file.size() - 2] ^= 1;
    CHECK(Loaded(file).status == DRYDOCK_OK);
}

TEST_CASE("wrong calls are answered, not followed") {
    const std::vector<unsigned char> file = small().bytes();
    size_t size = 0, alignment = 0;
    CHECK(drydock_policy_size(nullptr, 5, &size, &alignment) == DRYDOCK_BAD_CALL);
    CHECK(drydock_policy_size(file.data(), file.size(), nullptr, &alignment) == DRYDOCK_BAD_CALL);
    REQUIRE(drydock_policy_size(file.data(), file.size(), &size, &alignment) == DRYDOCK_OK);
    const Block block = new_block({size + alignment, alignment});
    std::byte* const memory = block.get();
    const drydock_policy* policy = nullptr;
    CHECK(drydock_policy_load(file.data(), file.size(), memory, size - 1, &policy, nullptr) ==
          DRYDOCK_BLOCK_TOO_SMALL);
    CHECK(drydock_policy_load(file.data(), file.size(), memory + 4, size, &policy, nullptr) ==
          DRYDOCK_MISALIGNED);
    CHECK(drydock_policy_load(file.data(), file.size(), nullptr, size, &policy, nullptr) ==
          DRYDOCK_BLOCK_TOO_SMALL);
    CHECK(drydock_policy_load(file.data(), file.size(), memory, size, nullptr, nullptr) ==
          DRYDOCK_BAD_CALL);
    drydock_diagnosis unset{};
    CHECK(drydock_policy_load(file.data(), file.size(), memory, size, &policy, &unset) ==
          DRYDOCK_BAD_CALL);
    CHECK(policy == nullptr);
    REQUIRE(drydock_policy_load(file.data(), file.size(), memory, size, &policy, nullptr) ==
            DRYDOCK_OK);
    drydock_policy_info info{};
    CHECK(drydock_policy_get_info(policy, &info) == DRYDOCK_BAD_CALL);
    drydock_context* context = nullptr;
    CHECK(drydock_context_size(nullptr, &size, &alignment) == DRYDOCK_BAD_CALL);
    REQUIRE(drydock_context_size(policy, &size, &alignment) == DRYDOCK_OK);
    const Block room = new_block({size + alignment, alignment});
    CHECK(drydock_context_create(policy, room.get(), size - 1, &context) ==
          DRYDOCK_BLOCK_TOO_SMALL);
    CHECK(drydock_context_create(policy, room.get() + 1, size, &context) == DRYDOCK_MISALIGNED);
    CHECK(drydock_context_create(policy, nullptr, size, &context) == DRYDOCK_BAD_CALL);
    CHECK(context == nullptr);
}

TEST_CASE("the least block is enough, and nothing is written beyond it") {
    // Sizes off the vector width, so that padding is at work everywhere.
    const std::vector<unsigned char> file = make_policy({5, 13, 70, 3}).bytes();
    drydock::policy::Memory memory;
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()),
                                           file.size());
    REQUIRE(drydock::policy::Policy::memory(bytes, memory) == DRYDOCK_OK);
    const std::size_t guard = 256;
    const Block block = new_block({memory.size + guard, memory.alignment});
    std::memset(block.get() + memory.size, 0x5a, guard);
    drydock::policy::Policy policy;
    REQUIRE(drydock::policy::Policy::load(bytes, {block.get(), memory.size}, policy) == DRYDOCK_OK);
    for (std::size_t i = 0; i < guard; ++i) {
        REQUIRE(block.get()[memory.size + i] == std::byte{0x5a});
    }
}

TEST_CASE("truncated and damaged files are refused or load, never overrun") {
    TestPolicy policy = small();
    policy.metadata.erase("sha256_data");
    const std::vector<unsigned char> file = policy.bytes();
    for (std::size_t n = 0; n < file.size(); ++n) {
        REQUIRE(Loaded({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(n)}).status ==
                DRYDOCK_NOT_SAFETENSORS);
    }
    std::mt19937 random(3);
    int refused = 0;
    for (std::size_t at = 0; at < file.size(); ++at) {
        std::vector<unsigned char> damaged = file;
        damaged[at] ^= static_cast<unsigned char>(1u << random() % 8);
        Loaded loaded(damaged);
        REQUIRE(loaded.status >= 0);
        refused += loaded.status != DRYDOCK_OK ? 1 : 0;
        if (loaded.status == DRYDOCK_OK) {
            loaded.act(std::vector<float>(3, 0.5f));
        }
    }
    CHECK(refused > 500);
}

TEST_CASE("every status has a text of its own") {
    for (drydock_status a = DRYDOCK_OK; a <= DRYDOCK_NOT_USED; ++a) {
        const std::string text = drydock_status_text(a);
        CHECK(text != "unknown status");
        for (drydock_status b = DRYDOCK_OK; b < a; ++b) {
            CHECK(text != drydock_status_text(b));
        }
    }
    CHECK(std::string(drydock_status_text(1000)) == "unknown status");
    CHECK(std::string(drydock_act_status_text(DRYDOCK_ACT_OK)) == "done");
    CHECK(std::string(drydock_act_status_text(DRYDOCK_ACT_OUTPUT_CLAMPED)) !=
          drydock_act_status_text(DRYDOCK_ACT_INPUT_NOT_FINITE));
}
