// What a run is made of before its first update, for a new run and for one that goes on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "training/checkpoint.h"
#include "training/data_set.h"
#include "training/online.h"
#include "training/run_folder.h"
#include "training/session.h"
#include "training/trainer.h"

namespace drydock::training {

using Notice = std::function<void(const std::string&)>;

// What an earlier process left behind, up to the checkpoint that the run goes on from.
struct EarlierRun {
    std::vector<std::string> metric_rows, evaluation_rows;
    std::map<std::int64_t, Evaluation> evaluations;
    Tensors extra;  // of the checkpoint
};

struct RunParts {
    TrainOptions options;  // resolved; paths are absolute
    RunFolder folder;
    std::unique_ptr<algorithms::Recipe> recipe;
    std::unique_ptr<envs::Environment> environment;  // null: nothing is evaluated
    TrainingData data;
    std::unique_ptr<Session> session;
    std::optional<EarlierRun> earlier;                   // of a run that goes on from a checkpoint
    std::unique_ptr<OnlineCollection> online = nullptr;  // of a run that is fine-tuned
};

// Checks the options, makes the folder with its config.toml, reads the data and records the update.
// When any of that fails, the folder is as it was. Throws what train() throws, and Stopped when
// `*stop` became true before it could take the place of another run. A `sibling` is a run of the
// same data that outlives this one: its device and its columns are shared.
RunParts begin_run(const TrainOptions& options, const Notice& notice, const std::atomic<bool>* stop,
                   const RunParts* sibling = nullptr);

// The same from a run folder. A run that was ended before its first checkpoint begins anew. Throws
// what resume() throws; the folder's files are then as they were.
RunParts continue_run(const ResumeOptions& options, const Notice& notice,
                      const RunParts* sibling = nullptr);

// What a checkpoint says of its run, and continue_run() checks.
Metadata checkpoint_metadata(const RunParts& parts);

}  // namespace drydock::training
