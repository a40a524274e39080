#include "training/trace.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/training/support.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;
using training::TraceReport;
using training::verify_trace;

const char* kGaussian = DRYDOCK_TRACES "/iql_gaussian.safetensors";
const char* kBc = DRYDOCK_TRACES "/bc.safetensors";
const char* kTd3Bc = DRYDOCK_TRACES "/td3bc.safetensors";
const char* kDeterministic = DRYDOCK_TRACES "/iql_deterministic.safetensors";

TEST_CASE("CORL's IQL is reproduced in fp32 and in fp64") {
    for (const char* path : {kGaussian, kDeterministic}) {
        for (const char* isa : {"", "portable"}) {
            training::TraceOptions options;
            options.isa = isa;
            const TraceReport report = verify_trace(std::string(path), options);
            CHECK(report.passed);
            REQUIRE(report.replays.size() == 2);
            CHECK(report.replays[0].precision == "fp32");
            CHECK(report.replays[1].precision == "fp64");
            for (const auto& replay : report.replays) {
                CHECK(replay.metrics.size() == 3);
                CHECK(replay.parameters.size() == (path == kGaussian ? 37 : 36));
            }
        }
    }
}

TEST_CASE("CORL's BC is reproduced in fp32 and in fp64") {
    for (const char* path : {kBc, DRYDOCK_TRACES "/bc_max_action.safetensors"}) {
        for (const char* isa : {"", "portable"}) {
            training::TraceOptions options;
            options.isa = isa;
            const TraceReport report = verify_trace(std::string(path), options);
            CHECK(report.algorithm == "bc");
            CHECK(report.passed);
            REQUIRE(report.replays.size() == 2);
            for (const auto& replay : report.replays) {
                CHECK(replay.metrics.size() == 1);
                CHECK(replay.parameters.size() == 6);
            }
        }
    }
}

TEST_CASE("CORL's CQL is reproduced in fp32 and in fp64, with and without Lagrange") {
    for (const char* name : {"cql", "cql_lagrange", "cql_variants"}) {
        CAPTURE(name);
        for (const char* isa : {"", "portable"}) {
            training::TraceOptions options;
            options.isa = isa;
            const TraceReport report =
                verify_trace(fmt::format("{}/{}.safetensors", DRYDOCK_TRACES, name), options);
            CHECK(report.algorithm == "cql");
            CHECK(report.passed);
            CHECK(report.ignored.empty());
            REQUIRE(report.replays.size() == 2);
            for (const auto& replay : report.replays) {
                CHECK(replay.metrics.size() == 7);
                // Four critics, the second of the first kind a layer deeper; actor and its scale;
                // both multipliers.
                CHECK(replay.parameters.size() ==
                      (std::string(name) == "cql" ? 2 * (10 + 8) : 4 * 8) + 8 + 2 + 2);
            }
        }
    }
}

TEST_CASE("a reading of CQL that differs in one point is told from CORL's") {
    struct Slip {
        const char *trace, *setting;
        nlohmann::json value;
    };
    const Slip slips[] = {
        {"cql", "importance_sample", false},
        {"cql", "alpha_for_actor", "after_step"},
        {"cql", "critics_for_actor", "after_step"},
        {"cql", "tanh_log_density", "epsilon"},
        {"cql", "log_std_scale_learned", false},
        {"cql", "backup_entropy", true},
        {"cql", "bc_steps", 1},
        {"cql_lagrange", "max_target_order", "max_then_min"},
        {"cql_lagrange", "weighted_action_gap", false},
        {"cql_lagrange", "alpha_prime_learning_rate", 3e-4},
        {"cql_variants", "target_update_period", 1},
    };
    for (const Slip& slip : slips) {
        CAPTURE(slip.setting);
        TensorFile trace =
            read_tensor_file(fmt::format("{}/{}.safetensors", DRYDOCK_TRACES, slip.trace));
        auto json = nlohmann::json::parse(trace.metadata["hyperparameters"]);
        json[slip.setting] = slip.value;
        trace.metadata["hyperparameters"] = json.dump();
        CHECK_FALSE(verify_trace(trace).passed);
    }
}

TEST_CASE("discrete CQL agrees with another reading of it, by the mean and by quantiles") {
    for (const char* name : {"discrete_cql", "discrete_cql_quantile"}) {
        const std::string path = fmt::format("{}/{}.safetensors", DRYDOCK_TRACES, name);
        const TraceReport report = verify_trace(path);
        CHECK(report.algorithm == "discrete-cql");
        CHECK(report.passed);
        REQUIRE(report.replays.size() == 2);
        CHECK(report.replays[0].parameters.size() == 12);
        TensorFile trace = read_tensor_file(path);
        auto json = nlohmann::json::parse(trace.metadata["hyperparameters"]);
        json["double_dqn"] = !json["double_dqn"].get<bool>();
        trace.metadata["hyperparameters"] = json.dump();
        CHECK_FALSE(verify_trace(trace).passed);
    }
}

TEST_CASE("CORL's TD3+BC is reproduced in fp32 and in fp64") {
    for (const char* path : {kTd3Bc, DRYDOCK_TRACES "/td3bc_max_action.safetensors"}) {
        for (const char* isa : {"", "portable"}) {
            training::TraceOptions options;
            options.isa = isa;
            const TraceReport report = verify_trace(std::string(path), options);
            CHECK(report.algorithm == "td3bc");
            CHECK(report.passed);
            REQUIRE(report.replays.size() == 2);
            for (const auto& replay : report.replays) {
                CHECK(replay.metrics.size() == 2);
                CHECK(replay.parameters.size() == 36);
            }
        }
    }
}

void set_hyperparameter(TensorFile& trace, const std::string& name, const nlohmann::json& value) {
    auto json = nlohmann::json::parse(trace.text("hyperparameters"));
    json[name] = value;
    trace.metadata["hyperparameters"] = json.dump();
}

TEST_CASE("every changed hyperparameter is caught") {
    const TensorFile trace = read_tensor_file(kGaussian);
    const std::pair<const char*, nlohmann::json> changes[] = {
        {"expectile", 0.71},
        {"temperature", 3.01},
        {"discount", 0.991},
        {"polyak", 0.0051},
        {"exp_advantage_max", 99.0},
        {"q_learning_rate", 3.1e-4},
        {"v_learning_rate", 3.1e-4},
        {"actor_learning_rate", 3.1e-4},
        {"adam_beta1", 0.89},
        {"adam_beta2", 0.9},
        {"adam_epsilon", 1e-5},
        {"actor_learning_rate_schedule", "constant"},
        {"max_steps", 50},
        {"target_update_period", 2},
        {"exp_advantage_max", nullptr}};
    for (const auto& change : changes) {
        TensorFile changed = trace;
        set_hyperparameter(changed, change.first, change.second);
        CHECK_MESSAGE(!verify_trace(changed).passed, change.first);
    }
}

TEST_CASE("every changed hyperparameter of TD3+BC is caught") {
    const TensorFile trace = read_tensor_file(kTd3Bc);
    const std::pair<const char*, nlohmann::json> changes[] = {{"discount", 0.991},
                                                              {"polyak", 0.0051},
                                                              {"alpha", 2.51},
                                                              {"policy_noise", 0.201},
                                                              {"noise_clip", 0.49},
                                                              {"policy_period", 1},
                                                              {"policy_period", 3},
                                                              {"q_learning_rate", 3.1e-4},
                                                              {"max_action", 1.01},
                                                              {"actor_learning_rate", 3.1e-4},
                                                              {"adam_beta1", 0.89},
                                                              {"adam_beta2", 0.9},
                                                              {"learning_rate_schedule", "cosine"}};
    for (const auto& change : changes) {
        TensorFile changed = trace;
        set_hyperparameter(changed, change.first, change.second);
        CHECK_MESSAGE(!verify_trace(changed).passed, change.first);
    }
}

TEST_CASE("every changed hyperparameter of BC is caught, by either of its names") {
    const TensorFile trace = read_tensor_file(kBc);
    const std::pair<const char*, nlohmann::json> changes[] = {
        {"learning_rate", 3.1e-4}, {"actor_learning_rate", 3.1e-4},
        {"adam_beta1", 0.89},      {"adam_beta2", 0.9},
        {"adam_epsilon", 1e-5},    {"learning_rate_schedule", "cosine"},
        {"weight_decay", 0.1},     {"actor_learning_rate_schedule", "cosine"},
        {"gradient_clip", 1e-3},   {"max_action", 1.01}};
    for (const auto& change : changes) {
        TensorFile changed = trace;
        set_hyperparameter(changed, change.first, change.second);
        CHECK_MESSAGE(!verify_trace(changed).passed, change.first);
    }
}

TEST_CASE("BC's rate may have the general name, the actor's, or both") {
    const TensorFile trace = read_tensor_file(kBc);
    using Json = nlohmann::json;
    const std::pair<Json, Json> pairs[] = {
        {3e-4, nullptr}, {nullptr, 3e-4}, {3e-4, 3e-4}, {0.5, 3e-4}};
    for (const auto& [general, actor] : pairs) {
        TensorFile changed = trace;
        set_hyperparameter(changed, "learning_rate", general);
        set_hyperparameter(changed, "actor_learning_rate", actor);
        set_hyperparameter(changed, "actor_learning_rate_schedule", nullptr);
        CHECK(verify_trace(changed).passed);
    }
}

TEST_CASE("BC needs no rewards, next observations or terminals, and says that it ignores them") {
    TensorFile trace = read_tensor_file(kBc);
    CHECK(!trace.tensors.contains("data/rewards"));
    CHECK(verify_trace(trace).ignored == std::vector<std::string>{"discount"});
    const TensorData& observations = trace.tensor("data/observations");
    trace.tensors["data/next_observations"] = observations;
    trace.tensors["data/terminals"] = trace.tensor("data/actions");
    const TraceReport report = verify_trace(trace);
    CHECK(report.passed);
    CHECK(report.ignored ==
          std::vector<std::string>{"discount", "data/next_observations", "data/terminals"});
    trace.tensors.erase("data/actions");
    CHECK(contains(error_of([&] { verify_trace(trace); }), "data/actions"));
}

TEST_CASE("a BC loss that is summed over the action's dimensions is caught") {
    TensorFile trace = read_tensor_file(kBc);
    const float actions = static_cast<float>(trace.tensor("data/actions").shape[1]);
    std::vector<float> rows = trace.tensor("expect/actor_loss").f32("actor_loss");
    for (float& x : rows) x *= actions;
    trace.tensors["expect/actor_loss"] =
        TensorData::of({static_cast<std::int64_t>(rows.size())}, std::span<const float>(rows));
    const TraceReport report = verify_trace(trace);
    CHECK(!report.passed);
    CHECK(!report.replays[0].metrics[0].passed);
}

TEST_CASE("fp64 shows a slip that fp32 hides") {
    TensorFile trace = read_tensor_file(kGaussian);
    set_hyperparameter(trace, "expectile", 0.7000001);
    const TraceReport report = verify_trace(trace);
    CHECK(report.replays[0].passed);
    CHECK(!report.replays[1].passed);
    CHECK(!report.passed);
}

TEST_CASE("a recording whose masks stayed fp32 is recognised, and said to be one") {
    const TraceReport report = verify_trace(DRYDOCK_TRACES "/iql_fp32_masks.safetensors");
    REQUIRE(report.replays.size() == 2);
    CHECK(report.passed);
    CHECK(report.replays[1].note.find("rounded to fp32") != std::string::npos);
    CHECK(verify_trace(read_tensor_file(kGaussian)).replays[1].note.empty());
}

TEST_CASE("keys that are only descriptive are ignored and named") {
    TensorFile trace = read_tensor_file(kGaussian);
    set_hyperparameter(trace, "machine", "mine");
    const TraceReport report = verify_trace(trace);
    CHECK(report.passed);
    CHECK(report.ignored == std::vector<std::string>{"machine"});
}

void set(TensorFile& trace, const std::string& name, std::size_t index, float value) {
    TensorData& tensor = trace.tensors.at(name);
    std::memcpy(tensor.bytes.data() + 4 * index, &value, sizeof value);
}

TEST_CASE("wrong metrics and parameters are found where they are") {
    TensorFile trace = read_tensor_file(kGaussian);
    const float right = trace.tensor("expect/q_loss").f32("q_loss")[17];
    set(trace, "expect/q_loss", 17, right * 1.01f);
    set(trace, "final/v.layers.2.bias", 0, 1.0f);
    const TraceReport report = verify_trace(trace);
    CHECK(!report.passed);
    for (const auto& d : report.replays[0].metrics) {
        CHECK(d.passed == (d.name != "q_loss"));
        if (d.name == "q_loss") CHECK(d.row == 17);
    }
    for (const auto& d : report.replays[0].parameters)
        CHECK(d.passed == (d.name != "v.layers.2.bias"));
    CHECK(report.replays[1].passed);
}

TEST_CASE("rows of NaN have no value") {
    TensorFile trace = read_tensor_file(kGaussian);
    set(trace, "expect/actor_loss", 3, std::nanf(""));
    CHECK(verify_trace(trace).passed);
}

TEST_CASE("a looser tolerance lets more pass") {
    TensorFile trace = read_tensor_file(kGaussian);
    const float right = trace.tensor("expect/q_loss").f32("q_loss")[17];
    set(trace, "expect/q_loss", 17, right * 1.01f);
    training::TraceOptions options;
    options.tolerance = 0.1;
    CHECK(verify_trace(trace, options).passed);
}

// 1500 updates: the first 40 as recorded, the others again over the same rows.
TEST_CASE("traces may be longer than the metric ring") {
    TensorFile trace = read_tensor_file(kGaussian);
    constexpr std::int64_t kSteps = 1500;
    const auto indices = trace.tensor("batch/indices").i64("batch/indices");
    std::vector<std::int64_t> many;
    for (std::size_t i = 0; i < kSteps * 16; ++i) many.push_back(indices[i % indices.size()]);
    trace.tensors["batch/indices"] =
        TensorData::of({kSteps, 16}, std::span<const std::int64_t>(many));
    for (const char* name : {"expect/q_loss", "expect/v_loss", "expect/actor_loss"}) {
        std::vector<float> rows = trace.tensor(name).f32(name);
        rows.resize(kSteps, std::nanf(""));
        rows[1400] = 1e6f;
        trace.tensors[name] = TensorData::of({kSteps}, std::span<const float>(rows));
    }
    std::erase_if(trace.tensors, [](const auto& t) { return contains(t.first, "64/"); });
    trace.metadata["steps"] = std::to_string(kSteps);
    const TraceReport report = verify_trace(trace);
    for (const auto& d : report.replays.at(0).metrics) CHECK(d.row == 1400);
    for (const char* name : {"expect/q_loss", "expect/v_loss", "expect/actor_loss"}) {
        set(trace, name, 1400, std::nanf(""));
    }
    const TraceReport again = verify_trace(trace);
    for (const auto& d : again.replays.at(0).metrics) CHECK(d.passed);
}

TEST_CASE("files that are no proper traces are refused") {
    const TensorFile trace = read_tensor_file(kGaussian);
    const auto refuse = [&](auto change) {
        TensorFile changed = trace;
        change(changed);
        return error_of([&] { verify_trace(changed); });
    };
    CHECK(contains(refuse([](TensorFile& t) { t.metadata.erase("drydock.trace"); }), "trace"));
    CHECK(contains(refuse([](TensorFile& t) { t.metadata["algorithm"] = "sarsa"; }), "sarsa"));
    CHECK(contains(refuse([](TensorFile& t) { t.metadata["preset"] = "best"; }), "best"));
    CHECK(contains(refuse([](TensorFile& t) { t.metadata["steps"] = "41"; }), "batch/indices"));
    CHECK(contains(refuse([](TensorFile& t) { t.metadata["steps"] = "4x"; }), "4x"));
    CHECK(contains(refuse([](TensorFile& t) { t.metadata["hyperparameters"] = "[]"; }), "JSON"));
    CHECK(contains(refuse([](TensorFile& t) { set_hyperparameter(t, "expectile", 2.0); }),
                   "expectile"));
    CHECK(contains(refuse([](TensorFile& t) { t.tensors.erase("init/v.layers.2.bias"); }),
                   "init/v.layers.2.bias"));
    CHECK(contains(refuse([](TensorFile& t) { t.tensors.erase("final/actor.log_std"); }),
                   "final/actor.log_std"));
    CHECK(contains(refuse([](TensorFile& t) { t.tensors.erase("final64/actor.log_std"); }),
                   "final64/actor.log_std"));
    CHECK(contains(refuse([](TensorFile& t) { t.tensors.erase("data/rewards"); }), "data/rewards"));
    const auto add = [&](const char* name) {
        return refuse([&](TensorFile& t) { t.tensors[name] = t.tensor("expect/q_loss"); });
    };
    CHECK(contains(add("init/w.layers.0.bias"), "init/w.layers.0.bias"));
    CHECK(contains(add("final/w.layers.0.bias"), "final/w.layers.0.bias"));
    CHECK(contains(add("expect/entropy"), "expect/entropy"));
    CHECK(contains(add("noise/policy_action"), "noise/policy_action"));
    CHECK(contains(add("other"), "other"));
    CHECK(contains(refuse([](TensorFile& t) {
                       t.tensors["data/rewards"].shape = {100, 2};
                   }),
                   "(100, 2)"));
    CHECK(contains(refuse([](TensorFile& t) {
                       t.tensors["init/q1.layers.1.bias"].shape = {8, 4};
                   }),
                   "(8, 4)"));
    CHECK(contains(refuse([](TensorFile& t) {
                       const std::int64_t row = 200;
                       std::memcpy(t.tensors["batch/indices"].bytes.data(), &row, sizeof row);
                   }),
                   "200"));
}

}  // namespace
}  // namespace drydock
