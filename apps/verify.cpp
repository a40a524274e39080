// drydock verify: replays recorded runs of published implementations and shows how far drydock is
// from them.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/command.h"
#include "apps/format.h"
#include "training/config.h"
#include "training/trace.h"

namespace drydock::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::vector<std::string> traces;
    double tolerance = 0;
    bool has_tolerance = false;
    std::string precision = "fp32";
    int threads = 1;
    std::string json;
};

using List = std::vector<training::Deviation>;

Cell verdict(const training::Deviation& d) {
    if (d.passed) return {"ok", Tone::good};
    return {d.row < 0 ? "FAIL" : fmt::format("FAIL at update {}", d.row), Tone::bad};
}

// One row per name, the replays next to each other. Each has the names of the same trace, but a
// trace may lack some in fp64.
void add_rows(Table& table, const training::TraceReport& report, const char* what,
              List training::TraceReplay::*list, double training::TraceReplay::*tolerance) {
    for (const training::Deviation& first : report.replays.front().*list) {
        std::vector<Cell> row = {what, first.name};
        for (const training::TraceReplay& replay : report.replays) {
            const auto found = std::find_if((replay.*list).begin(), (replay.*list).end(),
                                            [&](const auto& d) { return d.name == first.name; });
            if (found == (replay.*list).end()) {
                row.insert(row.end(), {"-", "", ""});
                continue;
            }
            row.emplace_back(fmt::format("{:.1e}", found->largest));
            row.emplace_back(fmt::format("{:.0e}", replay.*tolerance));
            row.push_back(verdict(*found));
        }
        table.add(row);
    }
}

void print_table(const training::TraceReport& report) {
    std::vector<std::string> headings = {"", "largest deviation"};
    for (const training::TraceReplay& replay : report.replays) {
        headings.insert(headings.end(), {">" + replay.precision, ">allowed", ""});
    }
    Table table(headings);
    add_rows(table, report, "metric", &training::TraceReplay::metrics,
             &training::TraceReplay::metric_tolerance);
    add_rows(table, report, "parameter", &training::TraceReplay::parameters,
             &training::TraceReplay::parameter_tolerance);
    table.print();
}

void print_report(const std::string& path, const training::TraceReport& report) {
    print_heading(path);
    print_facts({{"run", fmt::format("{}, preset {}, {} updates", report.algorithm, report.preset,
                                     grouped(report.steps))},
                 {"recorded by", report.generator.empty() ? "not said" : report.generator}});
    fmt::print("\n");
    print_table(report);
    fmt::print("\n");
    for (const training::TraceReplay& replay : report.replays) {
        fmt::print("  {} on {}: {}\n", replay.precision, replay.isa,
                   replay.passed ? paint("holds", Tone::good) : paint("does not hold", Tone::bad));
        if (!replay.note.empty()) fmt::print("    {}\n", replay.note);
    }
}

Json json_of(const List& deviations) {
    Json list = Json::array();
    for (const training::Deviation& d : deviations) {
        Json one = {{"name", d.name}, {"largest", json_number(d.largest)}, {"passed", d.passed}};
        if (d.row >= 0) one["update"] = d.row;
        list.push_back(one);
    }
    return list;
}

Json json_of(const std::string& path, const training::TraceReport& report) {
    Json replays = Json::array();
    for (const training::TraceReplay& replay : report.replays) {
        replays.push_back({{"precision", replay.precision},
                           {"isa", replay.isa},
                           {"metric_tolerance", replay.metric_tolerance},
                           {"parameter_tolerance", replay.parameter_tolerance},
                           {"passed", replay.passed},
                           {"note", replay.note},
                           {"metrics", json_of(replay.metrics)},
                           {"parameters", json_of(replay.parameters)}});
    }
    return {{"trace", path},           {"algorithm", report.algorithm},
            {"preset", report.preset}, {"generator", report.generator},
            {"steps", report.steps},   {"passed", report.passed},
            {"replays", replays}};
}

int verify(const Options& options) {
    training::TraceOptions trace_options;
    trace_options.threads = options.threads;
    trace_options.precision = training::precision_of(options.precision);
    if (options.has_tolerance) trace_options.tolerance = options.tolerance;
    bool passed = true;
    Json reports = Json::array();
    for (const std::string& path : options.traces) {
        const training::TraceReport report = training::verify_trace(path, trace_options);
        print_report(path, report);
        reports.push_back(json_of(path, report));
        passed = passed && report.passed;
    }
    if (!options.json.empty()) {
        write_json(options.json, {{"passed", passed}, {"traces", reports}});
    }
    return passed ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<Options>();
    CLI::App* app = parent.add_subcommand(
        "verify", "replay recorded runs of published implementations and compare");
    add_value(*app, "TRACE", options->traces, "", "trace files (docs/traces.md)")
        ->required()
        ->group("Arguments");
    CLI::Option* tolerance =
        app->add_option("--tolerance", options->tolerance,
                        "of the fp32 metrics, instead of 1e-4; parameters get 50 times as much "
                        "(in bf16 instead of 0.2, and a tenth)")
            ->type_name("X")
            ->check(above_zero());
    add_value(*app, "--precision", options->precision, "NAME",
              "fp32, and fp64 where the trace has it; or bf16, compared with fp32");
    add_value(*app, "--threads", options->threads, "N", "threads of the replay, 0 for all cores")
        ->transform(whole_number(0));
    add_value(*app, "--json", options->json, "FILE", "write the same facts for programs");
    app->footer(
        "Exit status 1 when a deviation is larger than allowed.\n\n"
        "Example\n"
        "  drydock verify tests/traces/iql_gaussian.safetensors");
    commands.push_back({app, [options, tolerance] {
                            options->has_tolerance = tolerance->count() > 0;
                            return verify(*options);
                        }});
}

}  // namespace drydock::apps
