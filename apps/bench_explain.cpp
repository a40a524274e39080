#include "apps/bench_explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "apps/command.h"
#include "apps/format.h"

namespace drydock::apps {
namespace {

using Json = nlohmann::ordered_json;
using measure::NodeTime;
using measure::NodeWork;
using measure::ProgramTimes;

// What nodes of one kind come to.
struct Total {
    int nodes = 0;
    double seconds = 0;
    NodeWork work;
    bool product = false;
};

std::string microseconds(double seconds) { return fmt::format("{:.1f}", 1e6 * seconds); }

// "103.1 GF/s" of products, "21.0 GB/s" of the rest.
std::string speed(const NodeWork& work, double seconds, bool product) {
    if (seconds <= 0) return "";
    return product ? fmt::format("{:.1f} GF/s", 1e-9 * work.flop / seconds)
                   : fmt::format("{:.1f} GB/s", 1e-9 * work.bytes / seconds);
}

// Of the multiply-add peak, or of the bandwidth of memory of that size.
double share_of(const NodeWork& work, double seconds, bool product, measure::Limits& limits) {
    if (seconds <= 0) return 0;
    const double limit =
        product ? limits.fma_peak() : limits.bandwidth(static_cast<std::int64_t>(work.bytes));
    return (product ? work.flop : work.bytes) / seconds / limit;
}

// What the passes left behind, read off the program that runs.
Facts passes_of(const Program& program) {
    int activations = 0, derivatives = 0, averages = 0, packed = 0;
    for (const Node& node : program.nodes) {
        const bool activated = node.attributes.kind != 0;
        activations += node.op == Op::linear && activated;
        derivatives += node.op == Op::linear_input_gradient && activated;
        averages += node.op == Op::adam_step && node.input_count == 6;
        packed += node.attributes.packed;
    }
    return {{"nodes", grouped(static_cast<std::int64_t>(program.nodes.size()))},
            {"layers with their activation", grouped(activations)},
            {"input gradients with the derivative below", grouped(derivatives)},
            {"optimizer steps with the target's average", grouped(averages)},
            {"products that share packed weights", grouped(packed)}};
}

// "every update", "updates 1, 3, ... of every 4, counted from 0".
std::string schedule_of(const Executable& updates, std::size_t program, std::int64_t period) {
    std::vector<std::int64_t> places;
    for (std::int64_t k = 0; k < period; ++k) {
        // From an update that begins a period, so that the places do not depend on when this runs.
        if (updates.program_at((1'000'000 / period + 1) * period + k) == program) {
            places.push_back(k);
        }
    }
    if (period == 1 && !places.empty()) return "every update";
    if (places.empty()) return "no update from here on";
    if (places.size() > 6) {
        return fmt::format("{} of every {} updates", places.size(), period);
    }
    return fmt::format("update {} of every {}, counted from 0", fmt::join(places, ", "), period);
}

Json node_json(const Program& program, const NodeTime& node, measure::Limits& limits) {
    const Node& n = program.node(node.node);
    const bool product = measure::is_product(n.op);
    return {{"node", node.node},
            {"op", info(n.op).name},
            {"call", program.describe(n)},
            {"seconds", node.seconds},
            {"flop", node.work.flop},
            {"bytes", node.work.bytes},
            {"limit", product ? "fma" : "memory"},
            {"share_of_limit", json_number(share_of(node.work, node.seconds, product, limits))}};
}

// "7 linear, 5 gather_rows", the most frequent first.
std::string ops_of(const Program& program, const std::vector<NodeId>& nodes) {
    std::map<std::string, int> counts;
    for (const NodeId id : nodes) ++counts[info(program.node(id).op).name];
    std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string text;
    for (const auto& [name, count] : sorted) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    }
    return text;
}

// How the work is cut: "2 by rows, 16 by units, 1 small".
std::string cut_of(const Phase& phase) {
    int rows = 0, units = 0, small = 0;
    for (const Piece& piece : phase.pieces) {
        (piece.last >= 0 ? units : piece.rows ? rows : small) += 1;
    }
    std::string text;
    const auto add = [&](int count, const char* how) {
        if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, how);
    };
    add(rows, "by rows");
    add(units, "by units");
    add(small, "small");
    return text;
}

// What runs between two meetings of the threads.
Json print_phases(const Executable& updates, std::size_t p, const ProgramTimes& times,
                  measure::Limits& limits) {
    Table table({">phase", ">us", ">MFLOP", ">of peak", "pieces", "nodes"});
    Json phases = Json::array();
    for (std::size_t i = 0; i < times.phases.size(); ++i) {
        const measure::PhaseTime& time = times.phases[i];
        const Phase& phase = updates.phases(p)[i];
        const std::vector<NodeId> nodes = nodes_of(phase);
        const double share = time.flop / time.seconds / limits.fma_peak();
        table.add({std::to_string(i), microseconds(time.seconds),
                   fmt::format("{:.2f}", 1e-6 * time.flop), time.flop > 0 ? percent(share) : "",
                   cut_of(phase), ops_of(updates.program(p), nodes)});
        phases.push_back({{"seconds", time.seconds},
                          {"flop", time.flop},
                          {"pieces", phase.pieces.size()},
                          {"nodes", nodes}});
    }
    table.print();
    return phases;
}

Json print_nodes(const Program& program, const ProgramTimes& times, measure::Limits& limits) {
    Table table({">node", "op and shapes", ">kB", ">MFLOP", ">us", ">speed", ">of limit"});
    Json nodes = Json::array();
    for (const NodeTime& node : times.nodes) {
        const Node& n = program.node(node.node);
        const bool product = measure::is_product(n.op);
        table.add({std::to_string(node.node), program.describe(n),
                   fmt::format("{:.1f}", 1e-3 * node.work.bytes),
                   fmt::format("{:.2f}", 1e-6 * node.work.flop), microseconds(node.seconds),
                   speed(node.work, node.seconds, product),
                   percent(share_of(node.work, node.seconds, product, limits))});
        nodes.push_back(node_json(program, node, limits));
    }
    table.print();
    return nodes;
}

void print_totals(const Program& program, const ProgramTimes& times, measure::Limits& limits) {
    std::map<std::string, Total> totals;
    double all = 0;
    for (const NodeTime& node : times.nodes) {
        const Op op = program.node(node.node).op;
        Total& total = totals[info(op).name];
        ++total.nodes;
        total.seconds += node.seconds;
        total.work.flop += node.work.flop;
        total.work.bytes += node.work.bytes;
        total.product = measure::is_product(op);
        all += node.seconds;
    }
    std::vector<std::pair<std::string, Total>> sorted(totals.begin(), totals.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
    Table table({"op", ">nodes", ">us", ">of time", ">MFLOP", ">speed", ">of peak"});
    for (const auto& [name, t] : sorted) {
        table.add({name, std::to_string(t.nodes), microseconds(t.seconds), percent(t.seconds / all),
                   fmt::format("{:.2f}", 1e-6 * t.work.flop), speed(t.work, t.seconds, t.product),
                   t.product ? percent(t.work.flop / t.seconds / limits.fma_peak()) : ""});
    }
    table.add({"between nodes", "", microseconds(times.by_nodes - all), "", "", "", ""});
    table.print();
}

}  // namespace

Json explain_updates(measure::UpdateBench& bench) {
    const Executable& updates = bench.session().updates();
    const std::vector<ProgramTimes> programs = bench.time_nodes();
    const std::int64_t period = measure::schedule_period(updates, bench.session().step());
    Json json = Json::array();
    for (std::size_t p = 0; p < programs.size(); ++p) {
        const ProgramTimes& times = programs[p];
        const Program& program = updates.program(p);
        print_heading(fmt::format("Program {}", p));
        Facts facts = passes_of(program);
        facts.insert(facts.begin(), {"runs at", schedule_of(updates, p, period)});
        facts.emplace_back("temporaries",
                           byte_size(static_cast<std::uint64_t>(updates.plan(p).bytes)));
        if (times.replays > 0) {
            facts.emplace_back("time", fmt::format("{} us, median of {} replays with a clock "
                                                   "around every phase",
                                                   microseconds(times.seconds), times.replays));
        }
        print_facts(facts);
        Json of{{"share_of_updates", times.share}, {"seconds", times.seconds}};
        if (times.replays > 0) {
            print_heading(fmt::format("Phases of program {}, between which the threads meet", p));
            of["phases"] = print_phases(updates, p, times, bench.limits());
            print_heading(fmt::format("Nodes of program {}, each on its own", p));
            of["nodes"] = print_nodes(program, times, bench.limits());
            print_heading(fmt::format("Program {} by kind", p));
            print_totals(program, times, bench.limits());
        }
        json.push_back(of);
    }
    return json;
}

}  // namespace drydock::apps
