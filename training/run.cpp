#include "training/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "training/result_file.h"

namespace drydock::training {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kFirstChunk = 8;  // before the rate is known
constexpr std::size_t kProfiledCalls = 200000;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

Run::Run(RunParts parts, TrainCallbacks callbacks)
    : parts_(std::move(parts)),
      callbacks_(std::move(callbacks)),
      logged_(session_.state().metric_names().size()),
      reported_(session_.state().metric_names().size()) {
    if (!options_.profile.empty()) session_.updates().start_profile(kProfiledCalls);
    std::string header = "step,seconds";
    for (const std::string& name : session_.state().metric_names()) header += "," + name;
    header += monitor_.header();
    if (parts_.online) header += parts_.online->header();
    EarlierRun none;
    EarlierRun& earlier = parts_.earlier ? *parts_.earlier : none;
    metrics_file_.emplace(parts_.folder.file("metrics.csv"), header, earlier.metric_rows);
    evaluations_file_.emplace(parts_.folder.file("evaluations.csv"), kEvaluationsHeader,
                              earlier.evaluation_rows);
    targets_ = target_returns_of(session_.algorithm().policy(), parts_.data);
    target_table_.emplace(parts_.folder, targets_, step(), earlier.evaluations.contains(step()));
    result_.started_at = result_.steps = step();
    result_.out = parts_.folder.path();
    if (parts_.earlier) take_over(earlier);
}

void Run::take_over(EarlierRun& earlier) {
    saved_step_ = step();
    const auto sums = earlier.extra.find("metric_sums");
    const auto counts = earlier.extra.find("metric_counts");
    if (sums != earlier.extra.end() && counts != earlier.extra.end()) {
        if (!logged_.restore(sums->second.to_f64(), counts->second.to_f64())) {
            throw Error(
                fmt::format("[resume] expected sums of {} metrics in the checkpoint of "
                            "'{}', got others; the file is damaged",
                            logged_.sums().size(), parts_.folder.path()));
        }
    }
    for (const auto& [at, evaluation] : earlier.evaluations) note(evaluation, at);
    monitor_.restore(earlier.extra);
    if (!earlier.metric_rows.empty()) {
        const std::string& row = earlier.metric_rows.back();
        seconds_before_ = std::strtod(row.c_str() + row.find(',') + 1, nullptr);
    }
}

TrainResult Run::train() {
    begin();
    while (!over()) {
        const std::int64_t first = step();
        const Clock::time_point start = Clock::now();
        run_updates(next_chunk());
        after_updates(first, seconds_since(start));
    }
    return finish();
}

void Run::run_updates(std::int64_t n) {
    if (parts_.online) return parts_.online->run(n);
    session_.run(n);
}

// What the offline run's policy is worth, before anything is learned online.
void Run::begin_online() {
    save();
    if (evaluation_due() && evaluate()) report(true);
}

double Run::seconds() const { return seconds_before_ + seconds_since(begin_); }

void Run::begin() {
    begin_ = last_report_ = Clock::now();
    if (!parts_.earlier) {
        if (parts_.online) begin_online();
        return;
    }
    // The process before may have been ended between a checkpoint and what follows it.
    writing(
        [&] { write_tensor_file(parts_.folder.file("policy.safetensors"), policy_of(parts_)); });
    if (evaluation_due() && evaluated_step_ != step()) {
        evaluate();
    } else if (evaluated_step_ == step() && monitor_.active()) {
        // The table of evaluations has no discounted returns, and the checkpoint is from before.
        try {
            monitor_.note(
                evaluate_policy(parts_.folder.file("policy.safetensors"), evaluation_options()));
            monitor_.predict();
            monitor_.warning();  // which was given then
        } catch (const Stopped&) {
        }
    }
}

void Run::after_updates(std::int64_t first, double seconds) {
    running_seconds_ += seconds;
    absorb(first, step());
    result_.steps = step();
    result_.updates_per_second =
        static_cast<double>(step() - result_.started_at) / running_seconds_;
    if (due(options_.log_every)) write_metrics();
    const bool evaluates = evaluation_due();
    if (due(options_.checkpoint_every) || evaluates || last()) save();
    const bool evaluated = evaluates && evaluate();
    if (evaluated || last() || seconds_since(last_report_) >= callbacks_.report_seconds) {
        report(evaluated);
    }
}

TrainResult Run::finish() {
    result_.stopped = !last() || evaluation_stopped_;
    if (saved_step_ != step()) save();
    // The last row may be of fewer updates. It is for the reader: a run that goes on, longer
    // perhaps, has what it averages in its checkpoint.
    if (!logged_.empty()) write_metrics();
    if (!options_.profile.empty()) session_.updates().write_profile(options_.profile);
    writing([&] { write_result_file(parts_, result_); });
    return result_;
}

// Up to the next thing to do, and short enough that a stop is obeyed soon. Metrics are read between
// chunks, so the host has nothing to do inside one.
std::int64_t Run::next_chunk() const {
    std::int64_t n = std::min(options_.steps - step(), kFirstChunk);
    if (step() > result_.started_at) {
        const double rate =
            static_cast<double>(step() - result_.started_at) / std::max(running_seconds_, 1e-9);
        n = static_cast<std::int64_t>(std::clamp(rate * callbacks_.report_seconds, 1.0, 1e6));
        n = std::min({n, options_.steps - step(), session_.metric_rows()});
    }
    for (const std::int64_t every :
         {options_.log_every, options_.evaluate_every, options_.checkpoint_every}) {
        if (every > 0) n = std::min(n, every - step() % every);
    }
    return n;
}

// Takes the metrics of updates [first, last) from the ring.
void Run::absorb(std::int64_t first, std::int64_t last) {
    const std::vector<std::string>& names = session_.state().metric_names();
    for (std::int64_t k = first; k < last; ++k) {
        for (std::size_t c = 0; c < names.size(); ++c) {
            const std::optional<double> value = session_.metric(static_cast<int>(c), k);
            if (!value) continue;
            if (!std::isfinite(*value)) refuse_metric(names[c], *value, k + 1);
            logged_.add(c, *value);
            reported_.add(c, *value);
        }
    }
}

// What a run that ends with an error leaves.
std::string Run::kept() const {
    return saved_step_ < 0 ? std::string("nothing was saved yet")
                           : fmt::format("the checkpoint of update {} stays in '{}'", saved_step_,
                                         parts_.folder.path());
}

// Files that cannot be written end the run with a text that says how it can go on.
template <class Work>
void Run::writing(Work work) const {
    try {
        work();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::disk) throw;
        throw Error(fmt::format("{}; {}{}", error.what(), kept(),
                                saved_step_ < 0 ? ""
                                                : fmt::format(": `drydock resume {}` goes on from "
                                                              "there",
                                                              parts_.folder.path())),
                    ErrorKind::disk);
    }
}

void Run::refuse_metric(const std::string& name, double value, std::int64_t update) const {
    const std::string advice = session_.algorithm().advice(name);
    throw Error(
        fmt::format("[train] expected finite metrics, got {} = {} in update {}; {}. {}{}Lower the "
                    "learning rates, look at the data with `drydock data info`, or run again "
                    "with --check-numerics, which names the first node that goes wrong",
                    name, value, update, kept(), advice, advice.empty() ? "" : " "));
}

void Run::write_metrics() {
    std::string row = fmt::format("{},{:.3f}", step(), seconds());
    for (std::size_t c = 0; c < session_.state().metric_names().size(); ++c) {
        const double mean = logged_.mean(c);
        row += metric_cell(std::isnan(mean) ? std::nullopt : std::optional(mean));
    }
    monitor_.predict();
    row += monitor_.row();
    if (parts_.online) row += parts_.online->row();
    writing([&] { metrics_file_->add(row); });
    logged_.clear();
    if (parts_.online) parts_.online->begin_row();
}

void Run::save() {
    const auto vector = [](const std::vector<double>& values) {
        return TensorData::of({std::ssize(values)}, std::span<const double>(values));
    };
    Tensors extra = {{"metric_sums", vector(logged_.sums())},
                     {"metric_counts", vector(logged_.counts())}};
    extra.merge(monitor_.save());
    if (parts_.online) extra.merge(parts_.online->save());
    writing([&] {
        // Rows that the checkpoint counts as written must be there after a power cut too.
        metrics_file_->sync();
        evaluations_file_->sync();
        target_table_->sync();
        save_checkpoint(parts_.folder.file("checkpoint.safetensors"), session_.state(),
                        checkpoint_metadata(parts_), extra);
        saved_step_ = step();
        write_tensor_file(parts_.folder.file("policy.safetensors"), policy_of(parts_));
    });
}

EvaluationOptions Run::evaluation_options() const {
    EvaluationOptions options;
    options.environment = options_.environment;
    options.episodes = options_.episodes;
    options.seed = options_.seed;
    options.discount = monitor_.discount();
    options.threads = options_.threads;
    options.stop = callbacks_.stop;
    if (!targets_.empty()) options.target_return = targets_.front();
    return options;
}

// Scores the file that save() wrote; false when it was stopped.
bool Run::evaluate() {
    const EvaluationOptions options = evaluation_options();
    Evaluation e;
    try {
        const std::string policy = parts_.folder.file("policy.safetensors");
        // Before the first target: its rows then say that the others' are there.
        writing([&] { target_table_->evaluate(policy, options, step()); });
        e = evaluate_policy(policy, options);
    } catch (const Stopped&) {  // resume takes it again
        evaluation_stopped_ = true;
        return false;
    }
    writing([&] { add_rows(*evaluations_file_, step(), e); });
    note(e, step());
    monitor_.note(e);
    monitor_.predict();
    if (const auto warning = monitor_.warning(); warning && callbacks_.notice) {
        callbacks_.notice(fmt::format("update {}: {}", step(), *warning));
    }
    return true;
}

void Run::note(const Evaluation& evaluation, std::int64_t step) {
    if (!result_.return_best || evaluation.return_mean > *result_.return_best) {
        result_.return_best = evaluation.return_mean;
        result_.score_best = evaluation.score_mean;
        result_.step_best = step;
    }
    result_.last = evaluation;
    evaluated_step_ = step;
}

void Run::report(bool evaluated) {
    last_report_ = Clock::now();
    if (!callbacks_.progress) return reported_.clear();
    Progress p;
    p.seed = options_.seed;
    p.step = step();
    p.steps = options_.steps;
    p.seconds = seconds();
    p.updates_per_second = result_.updates_per_second;
    const auto done = static_cast<double>(std::max<std::int64_t>(p.step - result_.started_at, 1));
    p.remaining_seconds = seconds_since(begin_) / done * static_cast<double>(p.steps - p.step);
    for (std::size_t c = 0; c < session_.state().metric_names().size(); ++c) {
        p.metrics.emplace_back(session_.state().metric_names()[c], reported_.mean(c));
    }
    p.predicted_q = monitor_.predicted();
    p.discounted_return = monitor_.observed();
    if (parts_.online) {
        p.online_return = parts_.online->latest_return();
        if (p.online_return) p.online_score = parts_.online->score_of(*p.online_return);
    }
    p.evaluation = result_.last ? &*result_.last : nullptr;
    p.evaluated = evaluated;
    callbacks_.progress(p);
    reported_.clear();
}

}  // namespace drydock::training
