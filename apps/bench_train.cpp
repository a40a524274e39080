// drydock bench train: updates per second as a share of what the processor can do, and, with
// --explain, where the time of an update goes.
#include <fmt/format.h>

#include <memory>

#include "algorithms/algorithm.h"
#include "apps/bench_explain.h"
#include "apps/command.h"
#include "apps/format.h"
#include "base/error.h"
#include "measure/updates.h"

namespace drydock::apps {
namespace {

using Json = nlohmann::ordered_json;
using measure::UpdateBench;
using measure::UpdateOptions;
using measure::UpdateReport;

struct Options {
    UpdateOptions update;
    std::string algorithm;
    std::vector<std::string> settings;
    std::string json;
    bool explain = false;
};

std::string rate_text(double per_second) {
    return per_second < 100 ? fmt::format("{:.2f}", per_second) : fmt::format("{:.0f}", per_second);
}

void print_report(const training::TrainOptions& train, const UpdateReport& r, UpdateBench& bench) {
    const std::string &algorithm = train.algorithm, &precision = train.precision;
    measure::Limits& limits = bench.limits();
    print_heading(fmt::format("Updates of {}", algorithm));
    print_facts(
        {{"machine", measure::machine(limits.isa())},
         {"data",
          fmt::format("{}; {} observations, {} actions", r.data, r.observations, r.actions)},
         {"batch", grouped(r.batch)},
         {"precision", precision},
         {"threads", grouped(limits.threads())},
         {"updates per second", fmt::format("{}, half of the rounds within {} to {}, of {} updates",
                                            rate_text(r.rate.median), rate_text(r.rate.low),
                                            rate_text(r.rate.high), grouped(r.updates))},
         {"necessary work",
          fmt::format("{:.4g} GFLOP an update", 1e-9 * measure::total_flop(r.necessary))},
         {"FMA peak in fp32",
          fmt::format("{:.1f} GF/s, {:.1f} updates per second at most", 1e-9 * limits.fma_peak(),
                      limits.fma_peak() / measure::total_flop(r.necessary))},
         {"memory here", fmt::format("{:.1f} GB/s", 1e-9 * limits.memory_bandwidth())},
         {"share of peak", percent(r.share_of_peak)}});
}

void print_necessary(const measure::Work& work) {
    print_heading("Necessary work");
    Table table({"part", ">GFLOP", ">share"});
    for (const measure::Term& term : work) {
        table.add({term.what, fmt::format("{:.4f}", 1e-9 * term.flop),
                   percent(term.flop / measure::total_flop(work))});
    }
    table.print();
}

Json report_json(const training::TrainOptions& train, const UpdateReport& r, UpdateBench& bench) {
    measure::Limits& limits = bench.limits();
    return {{"algorithm", train.algorithm},
            {"data", r.data},
            {"observation_size", r.observations},
            {"action_size", r.actions},
            {"batch_size", r.batch},
            {"updates_per_second", r.rate.median},
            {"updates_per_second_quartiles", {r.rate.low, r.rate.high}},
            {"updates_per_second_range", {r.rate.least, r.rate.most}},
            {"updates", r.updates},
            {"gflop_per_update", 1e-9 * measure::total_flop(r.necessary)},
            {"share_of_peak", r.share_of_peak},
            {"peak_gflops", 1e-9 * limits.fma_peak()},
            {"memory_gbytes_per_second", 1e-9 * limits.memory_bandwidth()},
            {"threads", limits.threads()},
            {"isa", kernels::name_of(limits.isa())},
            {"precision", train.precision},
            {"machine", measure::machine(limits.isa())}};
}

void split_settings(Options& options) {
    for (const std::string& text : options.settings) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw Error(fmt::format("expected --set KEY=VALUE, got '{}'", text), ErrorKind::usage);
        }
        options.update.train.settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
}

int bench_train(Options options) {
    if (options.algorithm.empty()) {
        throw Error(fmt::format("expected an algorithm, one of {}; 'drydock bench train --help' "
                                "lists all options",
                                fmt::join(algorithms::list_algorithms(), ", ")),
                    ErrorKind::usage);
    }
    options.update.train.algorithm = options.algorithm;
    split_settings(options);
    if (!options.json.empty()) check_writable("--json", options.json);
    if (options.explain) options.update.replays = 50;
    UpdateBench bench(options.update);
    const UpdateReport report = bench.run();
    print_report(options.update.train, report, bench);
    Json json = report_json(options.update.train, report, bench);
    if (options.explain) {
        print_necessary(report.necessary);
        json["programs"] = explain_updates(bench);
    }
    if (!options.json.empty()) write_json(options.json, json);
    return 0;
}

void add_sizes(CLI::App& app, UpdateOptions& update) {
    add_value(app, "--dataset", update.train.dataset, "FILE",
              "HDF5 file in D4RL's layout; without one, random transitions of the sizes below")
        ->group("Data");
    add_value(app, "--observations", update.sizes.observations, "N", "numbers in an observation")
        ->transform(whole_number(1))
        ->group("Data");
    add_value(app, "--actions", update.sizes.actions, "N",
              "numbers in an action; choices, where actions are")
        ->transform(whole_number(1))
        ->group("Data");
    add_value(app, "--transitions", update.sizes.transitions, "N", "rows of the data")
        ->transform(whole_number(1))
        ->group("Data");
}

}  // namespace

void add_bench_train(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<Options>();
    UpdateOptions& update = options->update;
    CLI::App* app = parent.add_subcommand("train", "updates per second and their share of peak");
    app->add_option("ALGORITHM", options->algorithm,
                    fmt::format("one of {}", fmt::join(algorithms::list_algorithms(), ", ")))
        ->group("Arguments");
    add_value(*app, "--algorithm", options->algorithm, "NAME", "the same as an option")
        ->group("Arguments");
    add_sizes(*app, update);
    add_value(*app, "--preset", update.train.preset, "NAME",
              "settings to start from (default the algorithm's first)")
        ->group("Update");
    app->add_option("--set", options->settings,
                    "change a setting, as for 'drydock train'; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false)
        ->group("Update");
    add_value(*app, "--precision", update.train.precision, "NAME", "fp32 or bf16")
        ->group("Machine");
    add_value(*app, "--threads", update.train.threads, "N", "0 for all cores")
        ->transform(whole_number(0))
        ->group("Machine");
    add_value(*app, "--isa", update.isa, "NAME",
              "portable, or an instruction set (default the best that the processor has)")
        ->group("Machine");
    add_value(*app, "--seconds", update.seconds, "X", "of all rounds together")
        ->check(above_zero())
        ->group("Measuring");
    add_value(*app, "--rounds", update.rounds, "N", "the median of so many is told")
        ->transform(whole_number(1))
        ->group("Measuring");
    app->add_flag("--explain", options->explain,
                  "passes, schedule, and every node with its time and share")
        ->group("Measuring");
    add_value(*app, "--json", options->json, "FILE", "write the same facts for programs")
        ->group("Measuring");
    app->footer(
        "The share of peak is that of the necessary work (docs/performance.md), and the peak is\n"
        "measured in the same run with as many threads; in fp32, whatever the precision.\n\n"
        "Example\n"
        "  drydock bench train iql --observations 17 --actions 6 --explain");
    commands.push_back({app, [options] { return bench_train(*options); }});
}

}  // namespace drydock::apps
