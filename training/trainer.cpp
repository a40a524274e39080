#include "training/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "training/checkpoint.h"
#include "training/config.h"
#include "training/data_set.h"
#include "training/export.h"
#include "training/run_folder.h"
#include "training/session.h"

namespace drydock::training {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kReportSeconds = 0.25;
constexpr std::int64_t kFirstChunk = 8;  // before the rate is known
constexpr std::size_t kProfiledCalls = 200000;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

void check_options(const TrainOptions& o) {
    const auto demand = [](bool holds, const std::string& text) {
        if (!holds) throw Error("[train] expected " + text, ErrorKind::usage);
    };
    demand(!o.dataset.empty(), "a data file, got none; give --dataset");
    demand(o.steps >= 1, fmt::format("1 step or more, got {}", o.steps));
    demand(o.log_every >= 1, fmt::format("log_every of 1 or more, got {}", o.log_every));
    demand(o.evaluate_every >= 0 && o.checkpoint_every >= 0 && o.episodes >= 0,
           "evaluate_every, checkpoint_every and episodes of 0 or more");
    demand(o.device == "auto" || o.device == "cpu",
           fmt::format("device auto or cpu, got '{}'; this build has no other", o.device));
    demand(o.precision == "fp32", fmt::format("precision fp32, got '{}'", o.precision));
}

std::unique_ptr<envs::Environment> find_environment(const std::string& name) {
    return name.empty() ? nullptr : envs::make_environment(name);
}

SessionOptions session_options(const TrainOptions& options) {
    SessionOptions out;
    out.threads = options.threads;
    out.seed = options.seed;
    out.check_numerics = options.check_numerics;
    return out;
}

// Means of metrics between two reports.
class Averages {
  public:
    explicit Averages(std::size_t columns) : sums_(columns, 0.0), counts_(columns, 0.0) {}

    void add(std::size_t column, double value) {
        sums_[column] += value;
        counts_[column] += 1;
        empty_ = false;
    }
    bool empty() const { return empty_; }
    // NaN where nothing was added.
    double mean(std::size_t column) const { return sums_[column] / counts_[column]; }
    void clear() { *this = Averages(sums_.size()); }

  private:
    std::vector<double> sums_, counts_;
    bool empty_ = true;
};

class Run {
  public:
    Run(const TrainOptions& options, const TrainCallbacks& callbacks);
    TrainResult train();

  private:
    std::int64_t next_chunk() const;
    void advance(std::int64_t updates);
    void absorb(std::int64_t first, std::int64_t last);
    [[noreturn]] void refuse_metric(const std::string& name, double value,
                                    std::int64_t update) const;
    void evaluate();
    void save();
    void write_metrics();
    void report(bool evaluated);
    void write_result();
    bool due(std::int64_t every) const { return every > 0 && session_.step() % every == 0; }
    bool stopped() const { return callbacks_.stop && callbacks_.stop->load(); }
    bool evaluates() const { return environment_ && options_.episodes > 0; }
    TensorFile policy();

    TrainOptions options_;
    const TrainCallbacks& callbacks_;
    RunFolder folder_;
    std::unique_ptr<algorithms::Recipe> recipe_;
    std::unique_ptr<envs::Environment> environment_;
    TrainingData data_;
    Session session_;
    std::optional<CsvFile> metrics_file_, evaluations_file_;
    std::optional<Averages> logged_, reported_;
    Clock::time_point begin_, last_report_;
    double running_seconds_ = 0;  // inside Executable::run
    std::int64_t saved_step_ = -1;
    TrainResult result_;
};

Run::Run(const TrainOptions& options, const TrainCallbacks& callbacks)
    : options_((check_options(options), options)),
      callbacks_(callbacks),
      folder_(options.out, options.overwrite),
      recipe_(resolve_recipe(options_, callbacks.notice)),
      environment_(find_environment(options.environment)),
      data_(load_training_data(options.dataset, *recipe_,
                               environment_ ? &environment_->info() : nullptr)),
      session_(*recipe_, data_.transitions.observation_size, data_.transitions.action_size,
               session_options(options)) {
    session_.add_data(std::move(data_.transitions));
    data_.transitions = {};
    session_.record_update();
    logged_.emplace(session_.state().metric_names().size());
    reported_.emplace(session_.state().metric_names().size());
    if (!options_.profile.empty()) session_.updates().start_profile(kProfiledCalls);
    folder_.create();
    const std::string config = config_text(options_, *recipe_);
    write_atomically(folder_.file("config.toml"), std::as_bytes(std::span(config)));
    std::string header = "step,seconds";
    for (const std::string& name : session_.state().metric_names()) header += "," + name;
    metrics_file_.emplace(folder_.file("metrics.csv"), header);
    evaluations_file_.emplace(folder_.file("evaluations.csv"), kEvaluationsHeader);
}

TrainResult Run::train() {
    begin_ = last_report_ = Clock::now();
    while (session_.step() < options_.steps && !stopped()) {
        advance(next_chunk());
        const bool last = session_.step() == options_.steps;
        if (due(options_.log_every) || last) write_metrics();
        const bool evaluated = evaluates() && (due(options_.evaluate_every) || last);
        if (due(options_.checkpoint_every) || evaluated || last) save();
        if (evaluated) evaluate();
        if (evaluated || last || seconds_since(last_report_) >= kReportSeconds) report(evaluated);
    }
    result_.stopped = session_.step() < options_.steps;
    if (!logged_->empty()) write_metrics();
    if (saved_step_ != session_.step()) save();
    if (!options_.profile.empty()) session_.updates().write_profile(options_.profile);
    write_result();
    return result_;
}

// Up to the next thing to do, and short enough that a stop is obeyed soon. Metrics are read between
// chunks, so the host has nothing to do inside one.
std::int64_t Run::next_chunk() const {
    const std::int64_t step = session_.step();
    std::int64_t n = std::min(options_.steps - step, kFirstChunk);
    if (step > 0) {
        const double rate = static_cast<double>(step) / std::max(running_seconds_, 1e-9);
        n = static_cast<std::int64_t>(std::clamp(rate * kReportSeconds, 1.0, 1e6));
        n = std::min({n, options_.steps - step, session_.metric_rows()});
    }
    for (const std::int64_t every :
         {options_.log_every, options_.evaluate_every, options_.checkpoint_every}) {
        if (every > 0) n = std::min(n, every - step % every);
    }
    return n;
}

void Run::advance(std::int64_t updates) {
    const std::int64_t first = session_.step();
    const Clock::time_point begin = Clock::now();
    session_.run(updates);
    running_seconds_ += seconds_since(begin);
    absorb(first, session_.step());
    result_.steps = session_.step();
    result_.updates_per_second = static_cast<double>(session_.step()) / running_seconds_;
}

// Takes the metrics of updates [first, last) from the ring.
void Run::absorb(std::int64_t first, std::int64_t last) {
    const std::vector<std::string>& names = session_.state().metric_names();
    for (std::int64_t k = first; k < last; ++k) {
        for (std::size_t c = 0; c < names.size(); ++c) {
            const std::optional<double> value = session_.metric(static_cast<int>(c), k);
            if (!value) continue;
            if (!std::isfinite(*value)) refuse_metric(names[c], *value, k + 1);
            logged_->add(c, *value);
            reported_->add(c, *value);
        }
    }
}

void Run::refuse_metric(const std::string& name, double value, std::int64_t update) const {
    const std::string saved =
        saved_step_ < 0
            ? std::string("nothing was saved yet")
            : fmt::format("the checkpoint of update {} stays in '{}'", saved_step_, folder_.path());
    throw Error(
        fmt::format("[train] expected finite metrics, got {} = {} in update {}; {}. Lower the "
                    "learning rates, look at the data with `drydock data info`, or run again "
                    "with --check-numerics, which names the first node that goes wrong",
                    name, value, update, saved));
}

void Run::write_metrics() {
    std::string row = fmt::format("{},{:.3f}", session_.step(), seconds_since(begin_));
    for (std::size_t c = 0; c < session_.state().metric_names().size(); ++c) {
        const double mean = logged_->mean(c);
        row += std::isnan(mean) ? "," : fmt::format(",{:.9g}", mean);
    }
    metrics_file_->add(row);
    logged_->clear();
}

TensorFile Run::policy() {
    Provenance provenance{
        options_.algorithm, options_.preset, options_.environment, options_.seed, {}};
    return make_policy_file(session_, data_, provenance);
}

void Run::save() {
    const Metadata metadata = {{"algorithm", options_.algorithm},
                               {"preset", options_.preset},
                               {"dataset", options_.dataset},
                               {"dataset_sha256", data_.sha256},
                               {"isa", name_of(session_.device().isa())},
                               {"config", config_text(options_, *recipe_)}};
    save_checkpoint(folder_.file("checkpoint.safetensors"), session_.state(), metadata);
    saved_step_ = session_.step();
    write_tensor_file(folder_.file("policy.safetensors"), policy());
}

// Scores the file that save() wrote.
void Run::evaluate() {
    EvaluationOptions options;
    options.environment = options_.environment;
    options.episodes = options_.episodes;
    options.seed = options_.seed;
    options.threads = options_.threads;
    const Evaluation e = evaluate_policy(folder_.file("policy.safetensors"), options);
    add_rows(*evaluations_file_, session_.step(), e);
    if (!result_.return_best || e.return_mean > *result_.return_best) {
        result_.return_best = e.return_mean;
        result_.score_best = e.score_mean;
        result_.step_best = session_.step();
    }
    result_.last = e;
}

void Run::report(bool evaluated) {
    last_report_ = Clock::now();
    if (!callbacks_.progress) return reported_->clear();
    Progress p;
    p.step = session_.step();
    p.steps = options_.steps;
    p.seconds = seconds_since(begin_);
    p.updates_per_second = result_.updates_per_second;
    p.remaining_seconds =
        p.seconds / static_cast<double>(p.step) * static_cast<double>(p.steps - p.step);
    for (std::size_t c = 0; c < session_.state().metric_names().size(); ++c) {
        p.metrics.emplace_back(session_.state().metric_names()[c], reported_->mean(c));
    }
    p.evaluation = result_.last ? &*result_.last : nullptr;
    p.evaluated = evaluated;
    callbacks_.progress(p);
    reported_->clear();
}

void Run::write_result() {
    const auto number = [](const std::optional<double>& x) {
        return x ? nlohmann::json(*x) : nlohmann::json();
    };
    nlohmann::ordered_json r;
    r["algorithm"] = options_.algorithm;
    r["preset"] = options_.preset;
    r["preset_for"] = options_.preset_for;
    r["dataset"] = data_.name;
    r["dataset_sha256"] = data_.sha256;
    r["environment"] = environment_ ? nlohmann::json(options_.environment) : nlohmann::json();
    r["steps"] = result_.steps;
    r["stopped"] = result_.stopped;
    r["seed"] = options_.seed;
    r["device"] = "cpu";
    r["isa"] = name_of(session_.device().isa());
    r["precision"] = options_.precision;
    r["threads"] = session_.device().threads();
    r["updates_per_second"] = result_.updates_per_second;
    const std::optional<Evaluation>& last = result_.last;
    r["score_last"] = number(last ? last->score_mean : std::nullopt);
    r["score_best"] = number(result_.score_best);
    r["return_last_mean"] = last ? nlohmann::json(last->return_mean) : nlohmann::json();
    r["return_last_std"] = last ? nlohmann::json(last->return_std) : nlohmann::json();
    r["return_best_mean"] = number(result_.return_best);
    r["step_best"] = last ? nlohmann::json(result_.step_best) : nlohmann::json();
    r["episodes"] = last ? last->episodes.size() : 0;
    result_.out = folder_.path();
    const std::string text = r.dump(2) + "\n";
    write_atomically(folder_.file("result.json"), std::as_bytes(std::span(text)));
}

}  // namespace

TrainResult train(const TrainOptions& options, const TrainCallbacks& callbacks) {
    return Run(options, callbacks).train();
}

}  // namespace drydock::training
