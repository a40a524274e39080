#include "measure/updates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

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

// Per program and node, the times of its kernel calls in every replay.
struct Replays {
    std::vector<NodeId> order;
    std::map<NodeId, std::vector<double>> seconds;
    std::vector<double> whole;
};

// The calls of one replay; a node may have several.
void add_replay(Replays& replays, const std::vector<Executable::ProfiledCall>& calls,
                std::size_t begin, std::size_t end) {
    std::map<NodeId, double> seconds;
    for (std::size_t i = begin; i < end; ++i) {
        const NodeId node = calls[i].node;
        if (replays.seconds.find(node) == replays.seconds.end()) {
            replays.order.push_back(node);
            replays.seconds[node] = {};
        }
        seconds[node] += 1e-9 * static_cast<double>(calls[i].end_ns - calls[i].begin_ns);
    }
    for (const auto& [node, time] : seconds) replays.seconds[node].push_back(time);
    replays.whole.push_back(1e-9 *
                            static_cast<double>(calls[end - 1].end_ns - calls[begin].begin_ns));
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

std::vector<ProgramTimes> UpdateBench::time_nodes() {
    Executable& updates = session_->updates();
    const std::int64_t period = schedule_period(updates, session_->step());
    std::vector<double> share(updates.count(), 0.0);
    std::size_t calls = 0;
    for (std::int64_t k = 0; k < period; ++k) {
        const std::size_t program = updates.program_at(session_->step() + k);
        share[program] += 1 / static_cast<double>(period);
        calls += updates.steps(program).size();
    }
    const std::int64_t periods = std::max<std::int64_t>(1, options_.replays / period);
    updates.start_profile(calls * static_cast<std::size_t>(periods));
    std::vector<std::size_t> ran;
    for (std::int64_t k = 0; k < periods * period; ++k) {
        ran.push_back(updates.program_at(session_->step() + k));
    }
    session_->run(periods * period);
    const std::vector<Executable::ProfiledCall> notes = updates.profile();
    updates.start_profile(0);

    std::vector<Replays> replays(updates.count());
    std::size_t begin = 0;
    for (const std::size_t program : ran) {
        const std::size_t end = begin + updates.steps(program).size();
        add_replay(replays[program], notes, begin, end);
        begin = end;
    }
    std::vector<ProgramTimes> times;
    for (std::size_t p = 0; p < replays.size(); ++p) {
        ProgramTimes& of = times.emplace_back();
        of.share = share[p];
        of.replays = static_cast<std::int64_t>(replays[p].whole.size());
        if (of.replays > 0) of.seconds = summarize(replays[p].whole).median;
        const Program& program = updates.program(p);
        for (const NodeId node : replays[p].order) {
            of.nodes.push_back({node, summarize(replays[p].seconds[node]).median,
                                node_work(program, program.node(node))});
        }
    }
    return times;
}

}  // namespace drydock::measure
