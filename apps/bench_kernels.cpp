// drydock bench kernels: single kernels at the sizes of training.
#include <fmt/format.h>

#include <memory>

#include "apps/command.h"
#include "apps/format.h"
#include "measure/kernels.h"

namespace drydock::apps {
namespace {

using Json = nlohmann::ordered_json;
using measure::KernelReport;
using measure::KernelTime;

struct Options {
    measure::KernelOptions kernels;
    std::string json;
};

double rate(const KernelTime& k) {
    return 1e-9 * (k.product ? k.work.flop : k.work.bytes) / k.seconds.median;
}

void print_report(const KernelReport& report, kernels::Isa isa) {
    print_heading("Kernels");
    print_facts({{"machine", measure::machine(isa)},
                 {"threads", grouped(report.threads)},
                 {"FMA peak here", fmt::format("{:.1f} GF/s", 1e-9 * report.fma_peak)},
                 {"memory here", fmt::format("{:.1f} GB/s", 1e-9 * report.memory_bandwidth)}});
    print_heading("Medians");
    Table table({"kernel", "sizes", ">us", ">spread", ">speed", ">of limit"});
    for (const KernelTime& k : report.kernels) {
        table.add({k.name, k.sizes, fmt::format("{:.2f}", 1e6 * k.seconds.median),
                   percent(k.seconds.spread()),
                   fmt::format("{:.1f} {}", rate(k), k.product ? "GF/s" : "GB/s"),
                   percent(k.share_of_limit)});
    }
    table.print();
    print_notice(
        "The limit of products and attention is the FMA peak, that of the rest the bandwidth of "
        "as much memory as the call touches, both measured in this run.");
}

Json report_json(const KernelReport& report, kernels::Isa isa) {
    Json kernels = Json::array();
    for (const KernelTime& k : report.kernels) {
        kernels.push_back({{"name", k.name},
                           {"sizes", k.sizes},
                           {"seconds", k.seconds.median},
                           {"seconds_quartiles", {k.seconds.low, k.seconds.high}},
                           {"calls", k.calls},
                           {"flop", k.work.flop},
                           {"bytes", k.work.bytes},
                           {"limit", k.product ? "fma" : "memory"},
                           {"share_of_limit", k.share_of_limit}});
    }
    return {{"isa", report.isa},
            {"threads", report.threads},
            {"machine", measure::machine(isa)},
            {"peak_gflops", 1e-9 * report.fma_peak},
            {"memory_gbytes_per_second", 1e-9 * report.memory_bandwidth},
            {"kernels", kernels}};
}

int bench_kernels(const Options& options) {
    if (!options.json.empty()) check_writable("--json", options.json);
    const KernelReport report = measure::measure_kernels(options.kernels);
    const kernels::Isa isa = Device::cpu(1, options.kernels.isa).isa();
    print_report(report, isa);
    if (!options.json.empty()) write_json(options.json, report_json(report, isa));
    return 0;
}

}  // namespace

void add_bench_kernels(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<Options>();
    measure::KernelOptions& kernels = options->kernels;
    CLI::App* app =
        parent.add_subcommand("kernels", "single kernels, next to the machine's limits");
    add_value(*app, "--filter", kernels.filter, "TEXT",
              "only kernels whose name and sizes have it, as \"linear forward 256 x 17\"");
    add_value(*app, "--threads", kernels.threads, "N", "0 for all cores")
        ->transform(whole_number(0));
    add_value(*app, "--isa", kernels.isa, "NAME",
              "portable, or an instruction set (default the best that the processor has)");
    add_value(*app, "--seconds", kernels.seconds, "X", "for each kernel, about")
        ->check(above_zero());
    add_value(*app, "--json", options->json, "FILE", "write the same facts for programs");
    app->footer(
        "Example\n"
        "  drydock bench kernels --filter 'linear forward'");
    commands.push_back({app, [options] { return bench_kernels(*options); }});
}

}  // namespace drydock::apps
