// The returns that a policy is asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/safetensors.h"
#include "training/data_set.h"
#include "training/evaluation.h"
#include "training/run_folder.h"
#include "training/run_tables.h"

namespace drydock::training {

// The numbers of "3600,1800". Throws Error (usage) for anything else, none included.
std::vector<double> parse_target_returns(const std::string& text);

// The network's own, or else the best return in the data. Empty for a policy that does not look at
// returns. Throws Error (usage) where the data have no complete episode to take one from.
std::vector<double> target_returns_of(const algorithms::PolicyNetwork& network,
                                      const TrainingData& data);

// The target_returns of a policy file; empty where it has none.
std::vector<double> target_returns_of(const TensorFile& policy);

// A sentence that names the range of the data's returns where the target is far from it: by more
// than half its width. Nothing where it is not, or the range is not known.
std::optional<std::string> target_warning(double target, const std::optional<EpisodeReturns>& data);
// The range that a policy file names.
std::optional<EpisodeReturns> data_returns_of(const TensorFile& policy);

// Evaluations at further targets than the first: target_evaluations.csv, with the columns of
// evaluations.csv and the target behind them. There is no file where there is no further target.
class TargetTable {
  public:
    // Keeps the rows of updates below `step`, and those of `step` itself where `whole`.
    TargetTable(const RunFolder& folder, const std::vector<double>& targets, std::int64_t step,
                bool whole);

    // Evaluates at each target and adds the rows. The options' target is not read.
    void evaluate(const std::string& policy, EvaluationOptions options, std::int64_t step);
    void sync();

  private:
    std::vector<double> targets_;  // but for the first
    std::optional<CsvFile> file_;
};

}  // namespace drydock::training
