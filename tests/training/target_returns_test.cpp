#include "training/target_returns.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "core/safetensors.h"
#include "data/d4rl.h"
#include "tests/training/support.h"
#include "training/export.h"
#include "training/loaded_policy.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;
using training::EpisodeReturns;
using training::parse_target_returns;

training::TrainOptions small_transformer(const std::string& dataset, const std::string& out) {
    training::TrainOptions options = testing::small_options(dataset, out);
    options.algorithm = "dt";
    options.settings = {{"batch_size", "4"},    {"context_length", "3"},
                        {"episode_len", "150"}, {"embedding_dim", "8"},
                        {"layers", "2"},        {"target_returns", "-200,-900,-1300"}};
    return options;
}

TEST_CASE("target returns are numbers with commas between them") {
    CHECK(parse_target_returns("3600,1800") == std::vector<double>{3600, 1800});
    CHECK(parse_target_returns("-0.5") == std::vector<double>{-0.5});
    for (const char* bad :
         {"", ",", "1,", "a", "1;2", "1 ,2", "inf", "nan", "1,,2", "1e39", "-1e39"}) {
        CAPTURE(bad);
        CHECK(contains(error_of([&] { parse_target_returns(bad); }), "3600,1800"));
    }
}

TEST_CASE("a target far from the data's returns is warned of, with their range") {
    const EpisodeReturns data{-1000, 1000};
    for (const double near : {-2000.0, -1000.0, 0.0, 1999.0}) {
        CHECK_FALSE(training::target_warning(near, data));
    }
    for (const double far : {-2001.0, 2001.0, 1e6}) {
        const auto warning = training::target_warning(far, data);
        REQUIRE(warning);
        CHECK(contains(*warning, "-1000 to 1000"));
    }
    CHECK_FALSE(training::target_warning(1e9, std::nullopt));
}

TEST_CASE("the returns of the data are those of complete episodes") {
    data::Dataset dataset;
    dataset.rows = 6;
    dataset.rewards = {1, 2, -5, 10, 100, 100};
    dataset.terminals = {0, 1, 1, 0, 0, 0};
    dataset.timeouts = {0, 0, 0, 1, 0, 0};
    const auto returns = training::episode_returns(dataset, 1000);
    REQUIRE(returns);
    CHECK(returns->low == -5);
    CHECK(returns->high == 10);
    dataset.terminals.assign(6, 0);
    dataset.timeouts.assign(6, 0);
    CHECK_FALSE(training::episode_returns(dataset, 1000));
}

TEST_CASE("a run evaluates at every target and goes on to the same tables") {
    const testing::TemporaryFolder folder;
    const std::string data = folder.file("data.hdf5");
    data::write_d4rl(data, testing::pendulum_data());
    const training::TrainOptions options = small_transformer(data, folder.file("whole"));
    const training::TrainResult whole = training::train(options);
    REQUIRE(whole.last);
    CHECK(whole.last->target_return == -200.0);
    const std::string table = "/target_evaluations.csv";
    const auto rows = training::read_rows(options.out + table);
    REQUIRE(rows.size() == 8);  // two evaluations at two further targets, two episodes each
    CHECK(rows[0].ends_with(",-900"));
    CHECK(rows[2].ends_with(",-1300"));
    CHECK(training::read_rows(options.out + "/evaluations.csv").size() == 4);

    training::TrainOptions cut = small_transformer(data, folder.file("cut"));
    cut.steps = 30;
    cut.settings.emplace_back("max_steps", "60");
    training::train(cut);
    training::ResumeOptions resume;
    resume.folder = cut.out;
    resume.steps = 60;
    training::resume(resume);
    CHECK(training::read_rows(cut.out + table) == rows);
}

TEST_CASE("a transformer's file agrees with the engine, and evaluation asks for the target") {
    const testing::TemporaryFolder folder;
    const std::string data = folder.file("data.hdf5");
    data::write_d4rl(data, testing::pendulum_data());
    training::TrainOptions options = small_transformer(data, folder.file("run"));
    options.episodes = 0;
    training::train(options);
    const std::string path = options.out + "/policy.safetensors";
    const TensorFile file = read_tensor_file(path);
    CHECK(file.text("kind") == "decision_transformer");
    CHECK(file.text("target_returns") == "-200,-900,-1300");
    CHECK(training::target_returns_of(file) == std::vector<double>{-200, -900, -1300});
    const auto returns = training::data_returns_of(file);
    REQUIRE(returns);
    CHECK(returns->low < returns->high);
    CHECK(file.tensor("golden.rewards").shape == std::vector<std::int64_t>{3 + 12});
    // Told apart in training: episode_len and context_length; episodes are longer.
    CHECK(file.tensor("embed_timestep.weight").shape == std::vector<std::int64_t>{153, 8});
    const training::LoadedPolicy policy = training::LoadedPolicy::from_file(path);
    CHECK(training::PolicyContext(policy).self_test() == 0.0f);

    training::EvaluationOptions evaluation;
    evaluation.environment = "pendulum";
    evaluation.episodes = 2;
    evaluation.threads = 1;
    const auto own = training::evaluate_policy(path, evaluation);
    std::set<double> met;
    for (const double target : {-200.0, -900.0, 100000.0}) {
        evaluation.target_return = target;
        const auto asked = training::evaluate_policy(path, evaluation);
        CHECK(asked.target_return == target);
        CHECK((asked.return_mean == own.return_mean) == (target == -200.0));
        met.insert(asked.return_mean);
    }
    CHECK(met.size() == 3);
}

TEST_CASE("a target for a policy that does not look at returns is refused") {
    testing::SmallRun run;
    const auto file =
        serialize(training::make_policy_file(*run.session, run.data, {"iql", "corl", "", 7, {}}));
    training::EvaluationOptions options;
    options.environment = "pendulum";
    options.target_return = 5.0;
    CHECK(contains(error_of([&] { training::evaluate_policy(file, "policy", options); }),
                   "kind mlp"));
}

TEST_CASE("a return is discounted from the first step on") {
    testing::SmallRun run;
    const auto file =
        serialize(training::make_policy_file(*run.session, run.data, {"iql", "corl", "", 7, {}}));
    training::EvaluationOptions options;
    options.environment = "pendulum";
    options.episodes = 2;
    options.discount = 1.0;
    const auto plain = training::evaluate_policy(file, "policy", options);
    options.discount = 0.5;
    const auto half = training::evaluate_policy(file, "policy", options);
    options.discount = 0.0;
    const auto first = training::evaluate_policy(file, "policy", options);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(plain.episodes[i].discounted_return == plain.episodes[i].episode_return);
        CHECK(half.episodes[i].episode_return == plain.episodes[i].episode_return);
        // Rewards of the pendulum are not above 0 and not below -16.28.
        CHECK(half.episodes[i].discounted_return <= first.episodes[i].discounted_return);
        CHECK(half.episodes[i].discounted_return >= -2 * 16.28);
        CHECK(half.episodes[i].discounted_return > plain.episodes[i].episode_return);
    }
}

}  // namespace
}  // namespace drydock
