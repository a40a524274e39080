// drydock data collect: lets a behaviour act in a simulator and writes what happened.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "apps/command.h"
#include "apps/format.h"
#include "base/error.h"
#include "data/d4rl.h"
#include "data/statistics.h"
#include "envs/behaviour.h"
#include "training/collect.h"

namespace drydock::apps {
namespace {

struct Options {
    training::CollectOptions collect;
    std::string out;
    bool overwrite = false;
    std::string json;
};

void check_target(const Options& options) {
    const std::filesystem::path out(options.out);
    if (std::filesystem::exists(out) && !options.overwrite) {
        throw Error(fmt::format("expected -o to name a new file, got {}, which exists; choose "
                                "another name or add --overwrite",
                                options.out),
                    ErrorKind::usage);
    }
    const std::filesystem::path folder = out.parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder)) {
        throw Error(fmt::format("expected the folder of {} to exist; make it first", options.out),
                    ErrorKind::usage);
    }
}

// One plain line on a terminal that goes away; nothing elsewhere.
void say_collecting(const Options& options) {
    if (!on_terminal()) return;
    const bool by_episode = options.collect.episodes > 0;
    fmt::print("collecting {} {} ...",
               grouped(by_episode ? options.collect.episodes : options.collect.steps),
               by_episode ? "episodes" : "steps");
    std::fflush(stdout);
}

int collect(const Options& options) {
    check_target(options);
    say_collecting(options);
    const data::Dataset dataset = training::collect(options.collect);
    data::write_d4rl(options.out, dataset);
    if (on_terminal()) fmt::print("\r\033[K");
    const data::DatasetStatistics statistics = data::compute_statistics(dataset);
    print_heading(options.out);
    print_facts({{"from", fmt::format("behaviour {} in {}, seed {}", options.collect.behaviour,
                                      options.collect.environment, options.collect.seed)},
                 {"rows", fmt::format("{} in {} episodes", grouped(statistics.rows),
                                      grouped(statistics.episodes))},
                 {"return", statistics.returns.count == 0
                                ? "no complete episode"
                                : fmt::format("{:.2f} ± {:.2f}, from {:.2f} to {:.2f}",
                                              statistics.returns.mean, statistics.returns.std,
                                              statistics.returns.min, statistics.returns.max)},
                 {"size", byte_size(std::filesystem::file_size(options.out))}});
    if (!options.json.empty()) {
        write_json(options.json, {{"file", options.out},
                                  {"environment", options.collect.environment},
                                  {"behaviour", options.collect.behaviour},
                                  {"seed", options.collect.seed},
                                  {"rows", statistics.rows},
                                  {"episodes", statistics.episodes},
                                  {"return_mean", json_number(statistics.returns.mean)},
                                  {"return_std", json_number(statistics.returns.std)}});
    }
    return 0;
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

}  // namespace

void add_data_collect(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<Options>();
    training::CollectOptions& o = options->collect;
    CLI::App* app = parent.add_subcommand("collect", "make a data file from a simulator");
    add_value(*app, "--environment", o.environment, "NAME",
              fmt::format("simulator: {}", fmt::join(envs::list_environments(), ", ")))
        ->required();
    add_value(*app, "-o,--out", options->out, "FILE", "file to write, HDF5 in D4RL's layout")
        ->required();
    add_value(*app, "--behaviour", o.behaviour, "NAME", "who acts, see below");
    app->add_option("--episodes", o.episodes, "whole episodes to record; this or --steps")
        ->type_name("N")
        ->transform(whole_number(1));
    app->add_option("--steps", o.steps, "rows to record; the last episode may be cut")
        ->type_name("N")
        ->transform(whole_number(1));
    add_value(*app, "--seed", o.seed, "N", "seed of starts and behaviour")
        ->transform(whole_number(0));
    add_value(*app, "--threads", o.threads, "N",
              "threads, 0 for all cores; the file does not depend on it")
        ->transform(whole_number(0));
    app->add_flag("--overwrite", options->overwrite, "replace the file if it exists");
    add_value(*app, "--json", options->json, "FILE", "write the same facts for programs");
    app->footer([] {
        return list_behaviours() +
               "\nExample\n"
               "  drydock data collect --environment pendulum --behaviour mixed --episodes 200 "
               "--seed 1 -o p.hdf5";
    });
    commands.push_back({app, [options] { return collect(*options); }});
}

}  // namespace drydock::apps
