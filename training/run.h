// One run while it trains: updates in chunks, and what is written and evaluated between them.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "training/averages.h"
#include "training/q_monitor.h"
#include "training/run_parts.h"
#include "training/run_tables.h"
#include "training/target_returns.h"

namespace drydock::training {

// train() is begin(), chunks of updates until over(), and finish(). Runs that are trained as a
// group (training/seeds.h) go through these together.
class Run {
  public:
    Run(RunParts parts, TrainCallbacks callbacks);
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Throws what training::train() throws once its updates have begun.
    TrainResult train();

    // What comes before the first chunk; takes an evaluation again that was cut short.
    void begin();
    // All updates are done, or the run is to stop.
    bool over() const { return last() || stopped(); }
    // How many updates may run until there is something to do, and a stop is obeyed soon.
    std::int64_t next_chunk() const;
    // Reads the metrics of the updates from `first` on, which took `seconds`, and does what is due:
    // rows, a checkpoint, an evaluation, a report.
    void after_updates(std::int64_t first, double seconds);
    // Saves, and writes result.json.
    TrainResult finish();

    std::int64_t step() const { return session_.step(); }
    const RunParts& parts() const { return parts_; }

  private:
    void take_over(EarlierRun& earlier);
    void run_updates(std::int64_t n);
    void begin_online();
    void absorb(std::int64_t first, std::int64_t last);
    [[noreturn]] void refuse_metric(const std::string& name, double value,
                                    std::int64_t update) const;
    void save();
    EvaluationOptions evaluation_options() const;
    bool evaluate();
    void note(const Evaluation& evaluation, std::int64_t step);
    void write_metrics();
    void report(bool evaluated);
    std::string kept() const;
    template <class Work>
    void writing(Work work) const;
    bool last() const { return step() == options_.steps; }
    bool due(std::int64_t every) const { return every > 0 && step() > 0 && step() % every == 0; }
    bool stopped() const { return callbacks_.stop && callbacks_.stop->load(); }
    bool evaluation_due() const {
        return parts_.environment && options_.episodes > 0 &&
               (due(options_.evaluate_every) || last() || (parts_.online && step() == 0));
    }
    double seconds() const;

    using Clock = std::chrono::steady_clock;

    RunParts parts_;
    const TrainOptions& options_ = parts_.options;
    Session& session_ = *parts_.session;
    QMonitor monitor_{parts_};
    TrainCallbacks callbacks_;
    std::optional<CsvFile> metrics_file_, evaluations_file_;
    std::vector<double> targets_;  // that evaluations ask for, where the policy looks at returns
    std::optional<TargetTable> target_table_;
    Averages logged_, reported_;
    Clock::time_point begin_, last_report_;
    double seconds_before_ = 0;   // of the processes before this one
    double running_seconds_ = 0;  // inside Executable::run
    std::int64_t saved_step_ = -1, evaluated_step_ = -1;
    bool evaluation_stopped_ = false;
    TrainResult result_;
};

}  // namespace drydock::training
