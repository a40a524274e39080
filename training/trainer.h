// Trains one policy from a data file and leaves a run folder behind (training/README.md), from
// which the run goes on after whatever ended it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "training/evaluation.h"

namespace drydock::training {

struct TrainOptions {
    std::string algorithm = "iql";
    std::string dataset;      // path of a D4RL-layout file
    std::string environment;  // "": nothing is evaluated
    std::string preset;       // "": the algorithm's first
    std::string preset_for;   // "": the data file's stem without "-vN"
    // --set name=value and [settings] of a config, in order; a later one wins. max_steps is `steps`
    // unless it is set here.
    std::vector<std::pair<std::string, std::string>> settings;
    // Fine-tuning with online collection (docs/finetune.md): the run folder whose checkpoint the
    // run starts from, and the steps to take in the environment. Its config.toml then gives the
    // data, the environment, the preset and the settings where these options do not, and `steps`
    // becomes online_steps times updates_per_online_step.
    std::string finetune;  // "": from first values, offline
    std::int64_t online_steps = 0;
    std::int64_t steps = 1000000;
    std::uint64_t seed = 0;
    std::string out;                       // the run folder; absent or empty before, see overwrite
    bool overwrite = false;                // take a folder that holds a run
    std::string device = "auto";           // auto, cpu or cuda
    std::string precision = "fp32";        // or bf16: kernels/api/linear.h
    int threads = 0;                       // 0: all cores
    std::int64_t evaluate_every = 5000;    // updates; 0: only at the end
    std::int64_t episodes = 10;            // per evaluation; 0: no evaluation
    std::int64_t log_every = 1000;         // updates per row of metrics.csv
    std::int64_t checkpoint_every = 5000;  // updates; 0: only at the end
    bool check_numerics = false;           // stop at the first node with a non-finite value (slow)
    std::string profile;  // "": none; file for a trace of kernel calls that Perfetto opens
};

// What a progress line shows. Metrics are averages since the last report.
struct Progress {
    std::uint64_t seed = 0;
    std::int64_t step = 0, steps = 0;
    double seconds = 0;             // since the first update
    double updates_per_second = 0;  // evaluation not counted
    double remaining_seconds = 0;
    std::vector<std::pair<std::string, double>> metrics;
    // What the critics expect of the policy, and what the last evaluation gave (q_monitor.h).
    std::optional<double> predicted_q, discounted_return;
    // When fine-tuning: the mean return, and its score, of the episodes collected since the last
    // row of metrics.csv, or of that row where none has ended since (online.h).
    std::optional<double> online_return, online_score;
    const Evaluation* evaluation = nullptr;  // the last one
    bool evaluated = false;                  // it is new in this report
};

struct TrainCallbacks {
    // Every report_seconds (0: after every update), after each evaluation, and at the end.
    std::function<void(const Progress&)> progress;
    double report_seconds = 0.25;
    // A sentence for the user: which preset row was taken, which device.
    std::function<void(const std::string&)> notice;
    // Set to true from any thread or a signal handler: the run ends after the updates in flight,
    // with all files written; resume() goes on from there.
    const std::atomic<bool>* stop = nullptr;
};

struct TrainResult {
    std::int64_t steps = 0;         // done
    bool stopped = false;           // by the flag, before all steps were done
    std::int64_t started_at = 0;    // the update that this process went on from
    double updates_per_second = 0;  // of this process; 0 when it had no update to do
    std::optional<Evaluation> last;
    std::optional<double> score_best;   // over the run's evaluations
    std::optional<double> return_best;  // mean return of the best evaluation
    std::int64_t step_best = 0;
    std::string out;
};

// Throws Error (usage) for an unknown name or a bad value, Error for data, environment and disk
// trouble and for a metric that is not finite: the text names the metric and the update, and the
// last checkpoint stays.
TrainResult train(const TrainOptions& options, const TrainCallbacks& callbacks = {});

struct ResumeOptions {
    std::string folder;
    std::optional<std::int64_t> steps;   // train up to there instead; schedules keep max_steps
    std::optional<std::string> dataset;  // the same data under another path
    std::optional<int> threads;
};

// Goes on with the run in a folder from its last checkpoint, or from the beginning where there is
// none yet. Parameters, moments, random streams, metrics and evaluations become those of a run that
// was never interrupted, bit for bit, on the same binary, instruction set and device; on others a
// notice says so. A run that is complete stays as it is. Throws what train() throws, and Error
// (usage) when there is no run in the folder or its settings or data are not the checkpoint's.
TrainResult resume(const ResumeOptions& options, const TrainCallbacks& callbacks = {});

}  // namespace drydock::training
