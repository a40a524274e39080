#include "measure/updates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "base/error.h"
#include "training/config.h"
#include "training/data_set.h"

namespace drydock::measure {
namespace {

constexpr std::int64_t kWarmUpdates = 20;

double run_for(training::Session& session, std::int64_t updates) {
    const double begin = now_seconds();
    session.run(updates);
    return now_seconds() - begin;
}

}  // namespace

std::int64_t schedule_period(const Executable& updates, std::int64_t from, std::int64_t most) {
    for (std::int64_t period = 1; period < most; ++period) {
        bool repeats = true;
        for (std::int64_t k = from; repeats && k < from + 2 * most; ++k) {
            repeats = updates.program_at(k) == updates.program_at(k + period);
        }
        if (repeats) return period;
    }
    return most;
}

UpdateBench::UpdateBench(const UpdateOptions& options)
    : options_(options),
      recipe_(training::resolve_recipe(options_.train)),
      limits_(kernels::Isa::portable, 1) {
    data::Transitions transitions;
    if (!options_.train.dataset.empty()) {
        auto data = training::load_training_data(options_.train.dataset, *recipe_, nullptr);
        transitions = std::move(data.transitions);
        data_name_ = data.name;
    } else {
        SyntheticSizes& sizes = options_.sizes;
        if (!recipe_->takes_real_actions()) {  // of one number, below so many
            recipe_->common().action_count = sizes.actions;
            sizes.actions = 1;
        }
        transitions = synthetic_transitions(sizes, *recipe_, options_.train.seed);
        data_name_ = "synthetic";
    }
    recipe_->common().action_count = transitions.action_count;
    training::SessionOptions session;
    session.threads = options_.train.threads;
    session.isa = options_.isa;
    session.precision = training::precision_of(options_.train.precision);
    session.seed = options_.train.seed;
    session_ = std::make_unique<training::Session>(*recipe_, transitions.observation_size,
                                                   transitions.action_size, session);
    data_name_ += fmt::format(", {} transitions", transitions.count);
    session_->add_data(std::move(transitions));
    session_->record_update();
    limits_ = Limits(session_->device().isa(), session_->device().threads());
}

UpdateReport UpdateBench::run() {
    training::Session& session = *session_;
    UpdateReport report;
    session.run(kWarmUpdates);
    // As many updates in each round as its time allows, whole periods of the schedule.
    const std::int64_t period = schedule_period(session.updates(), session.step());
    const double once = run_for(session, kWarmUpdates) / static_cast<double>(kWarmUpdates);
    const double wanted = options_.seconds / options_.rounds / once;
    const auto updates =
        period *
        static_cast<std::int64_t>(std::ceil(std::max(1.0, wanted / static_cast<double>(period))));
    std::vector<double> rates;
    for (int round = 0; round < options_.rounds; ++round) {
        rates.push_back(static_cast<double>(updates) / run_for(session, updates));
    }
    limits_.measure_again();
    report.rate = summarize(rates);
    report.updates = updates * options_.rounds;
    report.necessary = necessary_work(*recipe_, session.observation_size(), session.action_size());
    report.share_of_peak = total_flop(report.necessary) * report.rate.median / limits_.fma_peak();
    report.data = data_name_;
    report.observations = session.observation_size();
    report.actions = session.action_size();
    report.batch = recipe_->common().batch_size;
    return report;
}

// Of one program, the times of every node, or phase, in every replay.
struct UpdateBench::Replays {
    std::vector<std::int32_t> order;
    std::map<std::int32_t, std::vector<double>> seconds;
    std::vector<double> whole;

    // The notes of one replay; a node may have several.
    void add(std::span<const Executable::ProfiledCall> notes) {
        std::map<std::int32_t, double> once;
        for (const Executable::ProfiledCall& note : notes) {
            if (!seconds.contains(note.index)) {
                order.push_back(note.index);
                seconds[note.index] = {};
            }
            once[note.index] += 1e-9 * static_cast<double>(note.end_ns - note.begin_ns);
        }
        for (const auto& [index, time] : once) seconds[index].push_back(time);
        whole.push_back(1e-9 * static_cast<double>(notes.back().end_ns - notes.front().begin_ns));
    }
};

// By program; each ran where the schedule has it in so many periods.
std::vector<UpdateBench::Replays> UpdateBench::watch(Executable::Clock clock, std::int64_t periods,
                                                     std::int64_t period) {
    Executable& updates = session_->updates();
    const auto notes_of = [&](std::size_t program) {
        return clock == Executable::Clock::calls ? updates.steps(program).size()
                                                 : updates.phases(program).size();
    };
    std::vector<std::size_t> programs;
    std::size_t notes = 0;
    for (std::int64_t k = 0; k < periods * period; ++k) {
        programs.push_back(updates.program_at(session_->step() + k));
        notes += notes_of(programs.back());
    }
    updates.start_profile(notes, clock);
    session_->run(periods * period);
    const std::vector<Executable::ProfiledCall> all = updates.profile();
    updates.start_profile(0);

    std::vector<Replays> replays(updates.count());
    std::size_t begin = 0;
    for (const std::size_t program : programs) {
        replays[program].add(std::span(all).subspan(begin, notes_of(program)));
        begin += notes_of(program);
    }
    return replays;
}

std::vector<ProgramTimes> UpdateBench::time_nodes() {
    const Executable& updates = session_->updates();
    const std::int64_t period = schedule_period(updates, session_->step());
    const std::int64_t periods = std::max<std::int64_t>(1, options_.replays / period);
    const auto by_phases = watch(Executable::Clock::phases, periods, period);
    const auto by_nodes = watch(Executable::Clock::calls, periods, period);
    std::vector<ProgramTimes> times;
    for (std::size_t p = 0; p < updates.count(); ++p) {
        const Program& program = updates.program(p);
        ProgramTimes& of = times.emplace_back();
        of.replays = static_cast<std::int64_t>(by_nodes[p].whole.size());
        of.share = static_cast<double>(of.replays) / static_cast<double>(periods * period);
        if (of.replays == 0) continue;
        of.seconds = summarize(by_phases[p].whole).median;
        of.by_nodes = summarize(by_nodes[p].whole).median;
        for (const NodeId node : by_nodes[p].order) {
            of.nodes.push_back({node, summarize(by_nodes[p].seconds.at(node)).median,
                                node_work(program, program.node(node))});
        }
        for (const std::int32_t phase : by_phases[p].order) {
            PhaseTime& time = of.phases.emplace_back();
            time.seconds = summarize(by_phases[p].seconds.at(phase)).median;
            for (const NodeId node : nodes_of(updates.phases(p)[static_cast<std::size_t>(phase)])) {
                const Node& n = program.node(node);
                if (is_product(n.op)) time.flop += node_work(program, n).flop;
            }
        }
    }
    return times;
}

}  // namespace drydock::measure
