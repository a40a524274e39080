// drydock evaluate: scores a policy file in a simulator.
#include <fmt/format.h>

#include <memory>

#include "apps/command.h"
#include "apps/format.h"
#include "core/safetensors.h"
#include "envs/environment.h"
#include "training/evaluation.h"
#include "training/loaded_policy.h"
#include "training/target_returns.h"

namespace drydock::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string policy;
    std::string targets;
    bool targets_given = false;  // "" is no way to leave them out
    training::EvaluationOptions evaluation;
    bool verbose = false;
    std::string json;
};

void print_episodes(const training::Evaluation& evaluation) {
    Table table({">episode", ">return", ">score", ">length"});
    for (const training::EpisodeResult& e : evaluation.episodes) {
        table.add({std::to_string(e.episode), fmt::format("{:.2f}", e.episode_return),
                   e.score ? fmt::format("{:.1f}", *e.score) : "-", grouped(e.length)});
    }
    fmt::print("\n");
    table.print();
}

std::int64_t count_fallbacks(const training::Evaluation& evaluation) {
    std::int64_t count = 0;
    for (const training::EpisodeResult& e : evaluation.episodes) count += e.fallbacks;
    return count;
}

void warn_of_fallbacks(const training::Evaluation& evaluation) {
    if (const std::int64_t fallbacks = count_fallbacks(evaluation); fallbacks > 0) {
        print_warning(
            fmt::format("{} steps had a value that is not finite: the policy repeated "
                        "its last action there",
                        grouped(fallbacks)));
    }
}

using Evaluations = std::vector<training::Evaluation>;

// A row for each target return.
void print_targets(const Evaluations& evaluations) {
    Table table({">target", ">return", ">score", ">length"});
    for (const training::Evaluation& e : evaluations) {
        table.add({number(e.target_return.value_or(0)),
                   fmt::format("{:.2f} ± {:.2f}", e.return_mean, e.return_std),
                   e.score_mean
                       ? fmt::format("{:.1f} ± {:.1f}", *e.score_mean, e.score_std.value_or(0))
                       : "-",
                   fmt::format("{:.1f}", e.length_mean)});
    }
    fmt::print("\n");
    table.print();
}

// `note` says where the references of the score come from.
void print_page(const std::string& policy, const std::string& note,
                const training::Evaluation& evaluation) {
    print_heading(policy);
    Facts facts = {
        {"environment", fmt::format("{}, {} episodes of seed {}", evaluation.environment,
                                    grouped(static_cast<std::int64_t>(evaluation.episodes.size())),
                                    evaluation.seed)}};
    if (evaluation.target_return) {
        // A table with a row for each target follows.
        print_facts(facts);
        return warn_of_fallbacks(evaluation);
    }
    facts.push_back(
        {"return", fmt::format("{:.2f} ± {:.2f}", evaluation.return_mean, evaluation.return_std)});
    if (evaluation.score_mean) {
        facts.emplace_back("score", fmt::format("{:.1f} ± {:.1f}", *evaluation.score_mean,
                                                evaluation.score_std.value_or(0)));
        if (!note.empty()) facts.emplace_back("", note);
    }
    facts.emplace_back("length", fmt::format("{:.1f} steps", evaluation.length_mean));
    print_facts(facts);
    warn_of_fallbacks(evaluation);
}

Json json_of(const std::string& policy, const training::Evaluation& evaluation) {
    const auto optional_number = [](const std::optional<double>& value) {
        return value ? json_number(*value) : Json(nullptr);
    };
    Json episodes = Json::array();
    for (const training::EpisodeResult& e : evaluation.episodes) {
        episodes.push_back({{"episode", e.episode},
                            {"return", json_number(e.episode_return)},
                            {"discounted_return", json_number(e.discounted_return)},
                            {"score", optional_number(e.score)},
                            {"length", e.length},
                            {"fallbacks", e.fallbacks}});
    }
    return {{"policy", policy},
            {"environment", evaluation.environment},
            {"seed", evaluation.seed},
            {"target_return", optional_number(evaluation.target_return)},
            {"episodes", evaluation.episodes.size()},
            {"return_mean", json_number(evaluation.return_mean)},
            {"return_std", json_number(evaluation.return_std)},
            {"score_mean", optional_number(evaluation.score_mean)},
            {"score_std", optional_number(evaluation.score_std)},
            {"length_mean", json_number(evaluation.length_mean)},
            {"fallbacks", count_fallbacks(evaluation)},
            {"per_episode", episodes}};
}

// What to ask the policy for: one entry, which is empty where it does not look at returns.
std::vector<std::optional<double>> find_targets(const Options& options, const TensorFile& policy) {
    const std::vector<double> targets = options.targets_given
                                            ? training::parse_target_returns(options.targets)
                                            : training::target_returns_of(policy);
    if (targets.empty()) return {std::nullopt};
    return {targets.begin(), targets.end()};
}

int evaluate(const Options& options) {
    const std::string path = training::policy_file(options.policy);
    const std::vector<std::byte> bytes = read_bytes(path);
    const TensorFile policy = parse_tensor_file(bytes, path);
    Evaluations evaluations;
    std::vector<std::string> warnings;
    for (const std::optional<double>& target : find_targets(options, policy)) {
        training::EvaluationOptions one = options.evaluation;
        one.target_return = target;
        evaluations.push_back(training::evaluate_policy(bytes, path, one));
        if (!target) continue;
        const auto warning = training::target_warning(*target, training::data_returns_of(policy));
        if (warning) warnings.push_back(*warning);
    }
    print_page(options.policy, evaluations.front().score_note, evaluations.front());
    if (evaluations.front().target_return) print_targets(evaluations);
    for (const std::string& warning : warnings) print_warning(warning);
    for (const training::Evaluation& evaluation : evaluations) {
        if (options.verbose) print_episodes(evaluation);
    }
    if (!options.json.empty()) {
        Json facts = json_of(options.policy, evaluations.front());
        if (evaluations.front().target_return) {
            for (const training::Evaluation& evaluation : evaluations) {
                facts["targets"].push_back(json_of(options.policy, evaluation));
            }
        }
        write_json(options.json, facts);
    }
    return 0;
}

}  // namespace

void add_evaluate(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<Options>();
    CLI::App* app = parent.add_subcommand("evaluate", "score a policy file in a simulator");
    add_value(*app, "POLICY", options->policy, "", "policy file, or the run folder that has one")
        ->required()
        ->group("Arguments");
    add_value(*app, "--environment", options->evaluation.environment, "NAME",
              fmt::format("simulator: {}, or your own as ./FILE.so",
                          fmt::join(envs::list_environments(), ", ")))
        ->required();
    add_value(*app, "--episodes", options->evaluation.episodes, "N", "episodes to play")
        ->transform(whole_number(1));
    add_value(*app, "--seed", options->evaluation.seed, "N",
              "seed of the starts: the same seed gives the same episodes")
        ->transform(whole_number(0));
    const CLI::Option* targets = add_value(
        *app, "--target-return", options->targets, "R,...",
        "returns to ask a decision transformer for, in the environment's units (default: those "
        "in its file)");
    add_value(*app, "--threads", options->evaluation.threads, "N",
              "threads, 0 for all cores; the results do not depend on it")
        ->transform(whole_number(0));
    app->add_flag("--verbose", options->verbose, "show every episode");
    add_value(*app, "--json", options->json, "FILE", "write the same facts for programs");
    app->footer(
        "The score is 100 (return - low) / (high - low) with the environment's two reference "
        "returns;\n± is the standard deviation over the episodes.\n\n"
        "Examples\n"
        "  drydock evaluate runs/p --environment pendulum --episodes 100 --seed 2\n"
        "  drydock evaluate runs/dt --environment hopper --target-return 3600,1800");
    commands.push_back({app, [options, targets] {
                            options->targets_given = targets->count() > 0;
                            return evaluate(*options);
                        }});
}

}  // namespace drydock::apps
