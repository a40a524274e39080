// drydock data collect: lets a policy or a behaviour act in a simulator and writes what happened.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "apps/command.h"
#include "apps/format.h"
#include "apps/interrupt.h"
#include "apps/progress.h"
#include "base/error.h"
#include "data/d4rl.h"
#include "data/statistics.h"
#include "envs/behaviour.h"
#include "training/collect.h"
#include "training/evaluation.h"

namespace drydock::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    training::CollectOptions collect;
    std::string out;
    bool overwrite = false;
    std::string json;
};

// Before anything is played: what was collected could not be saved.
void check_targets(const Options& options) {
    check_writable("-o", options.out);
    if (!options.json.empty()) check_writable("--json", options.json);
    if (std::filesystem::exists(options.out) && !options.overwrite) {
        throw Error(fmt::format("expected -o to name a new file, got {}, which exists; choose "
                                "another name or add --overwrite",
                                options.out),
                    ErrorKind::usage);
    }
    const auto place = [](const std::string& path) {
        return std::filesystem::weakly_canonical(std::filesystem::absolute(path));
    };
    if (!options.json.empty() && place(options.json) == place(options.out)) {
        throw Error(
            fmt::format("expected -o and --json to name two files, got {} for both", options.out),
            ErrorKind::usage);
    }
}

void show(ProgressLine& line, const training::CollectOptions& options,
          const training::CollectProgress& progress) {
    const bool by_episodes = options.episodes > 0;
    const std::int64_t total = by_episodes ? options.episodes : options.steps;
    const std::int64_t done = std::min(total, by_episodes ? progress.episodes : progress.rows);
    if (done == 0 || progress.seconds <= 0) return;
    const double rate = static_cast<double>(done) / progress.seconds;
    line.update(done, rate, static_cast<double>(total - done) / rate,
                by_episodes ? fmt::format("  {} rows", grouped(progress.rows))
                            : fmt::format("  {} episodes", grouped(progress.episodes)));
}

training::Collected play(const Options& options) {
    const training::CollectOptions& o = options.collect;
    ProgressLine line(std::max(o.episodes, o.steps), o.episodes > 0 ? "episodes" : "rows");
    training::CollectCallbacks callbacks;
    callbacks.progress = [&](const training::CollectProgress& p) { show(line, o, p); };
    callbacks.stop = &catch_interrupts(
        o.episodes > 0
            ? "\ndrydock: stopping; the episodes that are complete will be written; once more to "
              "kill\n"
            : "\ndrydock: stopping; the rows that are there will be written; once more to kill\n");
    training::Collected collected = training::collect_episodes(o, callbacks);
    if (collected.episodes == 0) {
        throw training::Stopped(fmt::format("stopped before the first {}; {} was not written",
                                            o.episodes > 0 ? "episode was complete" : "row",
                                            options.out));
    }
    return collected;
}

// Returns of the complete episodes that had one level of noise.
struct Level {
    double noise = 0;
    data::Summary returns;
};

std::vector<Level> returns_by_level(const training::CollectOptions& options,
                                    const data::Dataset& dataset) {
    std::vector<std::vector<double>> returns(options.noise.size());
    if (returns.empty()) return {};
    std::size_t index = 0;
    for (const data::Episode& episode : data::cut_episodes(dataset)) {
        const std::size_t level = index++ % returns.size();
        if (episode.complete) returns[level].push_back(data::return_of(dataset, episode));
    }
    std::vector<Level> levels;
    for (std::size_t i = 0; i < returns.size(); ++i) {
        levels.push_back({options.noise[i], data::summarize(returns[i])});
    }
    return levels;
}

std::string return_text(const data::Summary& returns) {
    if (returns.count == 0) return "no complete episode";
    return fmt::format("{:.2f} ± {:.2f}, from {:.2f} to {:.2f}", returns.mean, returns.std,
                       returns.min, returns.max);
}

std::string attribute(const data::Dataset& dataset, const std::string& name) {
    const auto found = dataset.attributes.find(name);
    return found == dataset.attributes.end() ? "" : found->second;
}

std::string who(const data::Dataset& dataset) {
    const std::string policy = attribute(dataset, "policy");
    return policy.empty() ? "behaviour " + attribute(dataset, "behaviour") : "policy " + policy;
}

bool ends_whole(const data::Dataset& dataset) {
    return dataset.terminals.back() != 0 || dataset.timeouts.back() != 0;
}

void print_warnings(const Options& options, const training::Collected& collected) {
    if (collected.stopped) {
        print_warning(fmt::format(
            "stopped: {} holds the first {} episodes, {}", options.out, grouped(collected.episodes),
            ends_whole(collected.dataset) ? "all of them whole" : "the last of them cut"));
    }
    if (collected.fallbacks > 0) {
        print_warning(
            fmt::format("{} of {} rows had a value that is not finite inside the policy: "
                        "it repeated its last action there",
                        grouped(collected.fallbacks), grouped(collected.dataset.rows)));
    }
}

void print_page(const Options& options, const training::Collected& collected,
                const data::DatasetStatistics& statistics, const std::vector<Level>& levels) {
    const data::Dataset& dataset = collected.dataset;
    print_heading(options.out);
    Facts facts = {{"from", fmt::format("{} in {}, seed {}", who(dataset),
                                        attribute(dataset, "env"), options.collect.seed)},
                   {"rows", fmt::format("{} in {} episodes", grouped(statistics.rows),
                                        grouped(statistics.episodes))},
                   {"return", return_text(statistics.returns)}};
    for (const Level& level : levels) {
        facts.emplace_back(fmt::format("  noise {}", level.noise), return_text(level.returns));
    }
    if (options.collect.random_steps > 0) {
        facts.emplace_back("random", percent(options.collect.random_steps) + " of the steps");
    }
    facts.emplace_back("size", byte_size(std::filesystem::file_size(options.out)));
    print_facts(facts);
    print_warnings(options, collected);
}

// Null for what does not apply.
Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json json_of(const Options& options, const training::Collected& collected,
             const data::DatasetStatistics& statistics, const std::vector<Level>& levels) {
    const data::Dataset& dataset = collected.dataset;
    Json by_noise = Json::array();
    for (const Level& level : levels) {
        const bool any = level.returns.count > 0;
        by_noise.push_back({{"noise", level.noise},
                            {"complete_episodes", level.returns.count},
                            {"return_mean", any ? Json(level.returns.mean) : Json(nullptr)},
                            {"return_std", any ? Json(level.returns.std) : Json(nullptr)}});
    }
    return {{"file", options.out},
            {"environment", attribute(dataset, "env")},
            {"behaviour", text_or_null(attribute(dataset, "behaviour"))},
            {"policy", text_or_null(attribute(dataset, "policy"))},
            {"policy_sha256", text_or_null(attribute(dataset, "policy_sha256"))},
            {"random_steps", options.collect.random_steps},
            {"seed", options.collect.seed},
            {"rows", statistics.rows},
            {"episodes", statistics.episodes},
            {"return_mean", json_number(statistics.returns.mean)},
            {"return_std", json_number(statistics.returns.std)},
            {"by_noise", by_noise},
            {"fallbacks", collected.fallbacks},
            {"stopped", collected.stopped},
            {"failure", text_or_null(collected.failure)}};
}

int collect(const Options& options) {
    check_targets(options);
    const training::Collected collected = play(options);
    data::write_d4rl(options.out, collected.dataset);
    const data::DatasetStatistics statistics = data::compute_statistics(collected.dataset);
    const std::vector<Level> levels = returns_by_level(options.collect, collected.dataset);
    print_page(options, collected, statistics, levels);
    if (!options.json.empty()) {
        write_json(options.json, json_of(options, collected, statistics, levels));
    }
    if (!collected.failure.empty()) {
        throw Error(fmt::format("{}; the {} whole episodes before it are in {}", collected.failure,
                                grouped(collected.episodes), options.out));
    }
    return collected.stopped ? interrupted_status() : 0;
}

std::string list_behaviours() {
    std::string text = "Behaviours, with their mean return over many episodes where it is known\n";
    for (const std::string& name : envs::list_environments()) {
        for (const envs::BehaviourInfo& b : envs::list_behaviours(envs::environment_info(name))) {
            const std::string mean =
                b.mean_return ? fmt::format("{:.0f}", *b.mean_return) : std::string("-");
            text += fmt::format("  {:<11} {:<14} {:>6}  {}\n", name, b.name, mean,
                                wrap(b.description, 61, 37));
        }
    }
    return text;
}

void add_actor(CLI::App& app, training::CollectOptions& o) {
    add_value(app, "--policy", o.policy, "FILE", "who acts: a policy file, or a run folder");
    add_value(app, "--behaviour", o.behaviour, "NAME",
              "who acts, see below (default mixed where there is one, else random)");
    app.add_option("--noise", o.noise,
                   "Gaussian noise on the actions, deviation in units of their half range; of "
                   "several levels, episode i takes number i modulo their count")
        ->type_name("X,...")
        ->delimiter(',')
        ->allow_extra_args(false);
    add_value(app, "--random-steps", o.random_steps, "SHARE",
              "share of the steps, 0 to 1, whose action is uniform instead");
}

void add_amounts(CLI::App& app, training::CollectOptions& o) {
    app.add_option("--episodes", o.episodes, "whole episodes to record; this or --steps")
        ->type_name("N")
        ->transform(whole_number(1));
    app.add_option("--steps", o.steps, "rows to record; the last episode may be cut")
        ->type_name("N")
        ->transform(whole_number(1));
    add_value(app, "--seed", o.seed, "N", "seed of starts, behaviour and noise")
        ->transform(whole_number(0));
    add_value(app, "--threads", o.threads, "N",
              "threads, 0 for all cores; the file does not depend on it")
        ->transform(whole_number(0));
}

}  // namespace

void add_data_collect(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<Options>();
    CLI::App* app = parent.add_subcommand("collect", "make a data file from a simulator");
    add_value(*app, "--environment", options->collect.environment, "NAME",
              fmt::format("simulator: {}, or your own as ./FILE.so",
                          fmt::join(envs::list_environments(), ", ")))
        ->required();
    add_value(*app, "-o,--out", options->out, "FILE", "file to write, HDF5 in D4RL's layout")
        ->required();
    add_actor(*app, options->collect);
    add_amounts(*app, options->collect);
    app->add_flag("--overwrite", options->overwrite, "replace the file if it exists");
    add_value(*app, "--json", options->json, "FILE", "write the same facts for programs");
    app->footer([] {
        return list_behaviours() +
               "\nExamples\n"
               "  drydock data collect --environment pendulum --behaviour mixed --episodes 200 "
               "--seed 1 -o p.hdf5\n"
               "  drydock data collect --environment pendulum --policy runs/p --noise 0,0.1 "
               "--steps 1e5 -o q.hdf5";
    });
    commands.push_back({app, [options] { return collect(*options); }});
}

}  // namespace drydock::apps
