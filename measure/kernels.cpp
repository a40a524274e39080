#include "measure/kernels.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "core/executable.h"

namespace drydock::measure {
namespace {

// The node to look at.
NodeId find_node(const Program& program, Op op, const std::string& name) {
    for (std::size_t n = program.nodes.size(); n-- > 0;) {
        if (program.nodes[n].op == op) return static_cast<NodeId>(n);
    }
    throw Error(
        fmt::format("[measure] the program of '{}' has no node {}: a pass took it away; "
                    "look at measure/kernel_cases.cpp",
                    name, info(op).name));
}

// Seconds of the node in every replay.
std::vector<double> times_of(Executable& executable, NodeId node, std::int64_t replays) {
    executable.start_profile(executable.steps(0).size() * static_cast<std::size_t>(replays));
    executable.run(replays);
    const std::vector<Executable::ProfiledCall> calls = executable.profile();
    executable.start_profile(0);
    std::vector<double> seconds(static_cast<std::size_t>(replays), 0.0);
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].index != node) continue;
        seconds[i / executable.steps(0).size()] +=
            1e-9 * static_cast<double>(calls[i].end_ns - calls[i].begin_ns);
    }
    return seconds;
}

KernelTime measure_case(const KernelCase& of, const Device& device, double seconds,
                        Limits& limits) {
    State state(device);
    Executable executable(state, {.passes = {.pack_weights = false}});
    executable.add(record(state, [&](Graph& g) { of.record(state, g); }));
    const Program& program = executable.program();
    const NodeId node = find_node(program, of.op, of.name);
    const double begin = now_seconds();
    executable.run(3);
    const double once = (now_seconds() - begin) / 3;
    const auto replays = static_cast<std::int64_t>(std::clamp(seconds / once, 5.0, 20000.0));
    KernelTime time{of.name,
                    of.sizes,
                    summarize(times_of(executable, node, replays)),
                    replays,
                    node_work(program, program.node(node)),
                    is_product(of.op),
                    0.0};
    const double limit =
        time.product
            ? time.work.flop / limits.fma_peak()
            : time.work.bytes / limits.bandwidth(static_cast<std::int64_t>(time.work.bytes));
    time.share_of_limit = limit / time.seconds.median;
    return time;
}

}  // namespace

KernelReport measure_kernels(const KernelOptions& options,
                             const std::function<void(const KernelTime&)>& progress) {
    std::vector<KernelCase> cases = kernel_cases();
    std::erase_if(cases, [&](const KernelCase& c) {
        return (c.name + " " + c.sizes).find(options.filter) == std::string::npos;
    });
    if (cases.empty()) {
        throw Error(fmt::format("[measure] expected a filter that some kernel's name and sizes "
                                "contain, got '{}'; without one all are listed",
                                options.filter),
                    ErrorKind::usage);
    }
    const Device device = Device::cpu(options.threads, options.isa);
    Limits limits(device.isa(), device.threads());
    KernelReport report{kernels::name_of(device.isa()), device.threads(), 0, 0, {}};
    for (const KernelCase& c : cases) {
        report.kernels.push_back(measure_case(c, device, options.seconds, limits));
        if (progress) progress(report.kernels.back());
    }
    report.fma_peak = limits.fma_peak();
    report.memory_bandwidth = limits.memory_bandwidth();
    return report;
}

}  // namespace drydock::measure
