#include "training/target_returns.h"

#include <fmt/format.h>

#include "base/error.h"

namespace drydock::training {
namespace {

std::optional<double> number_of(const TensorFile& file, const std::string& key) {
    const auto entry = file.metadata.find(key);
    if (entry == file.metadata.end()) return std::nullopt;
    const auto numbers = algorithms::parse_numbers(entry->second);
    return numbers && numbers->size() == 1 ? std::optional(numbers->front()) : std::nullopt;
}

}  // namespace

std::vector<double> parse_target_returns(const std::string& text) {
    if (const auto targets = algorithms::parse_numbers(text)) return *targets;
    throw Error(fmt::format("[target_return] expected numbers that fit fp32 with commas between "
                            "them, as in 3600,1800, got '{}'",
                            text),
                ErrorKind::usage);
}

std::vector<double> target_returns_of(const algorithms::PolicyNetwork& network,
                                      const TrainingData& data) {
    if (!network.transformer || !network.target_returns.empty()) return network.target_returns;
    if (data.returns) return {data.returns->high};
    throw Error(fmt::format("[target_returns] expected a complete episode in '{}' whose return "
                            "could be asked for, there is none; set target_returns",
                            data.path),
                ErrorKind::usage);
}

std::vector<double> target_returns_of(const TensorFile& policy) {
    const auto entry = policy.metadata.find("target_returns");
    return entry == policy.metadata.end() ? std::vector<double>()
                                          : parse_target_returns(entry->second);
}

std::optional<EpisodeReturns> data_returns_of(const TensorFile& policy) {
    const auto low = number_of(policy, "return_min"), high = number_of(policy, "return_max");
    if (!low || !high) return std::nullopt;
    return EpisodeReturns{*low, *high};
}

std::optional<std::string> target_warning(double target,
                                          const std::optional<EpisodeReturns>& data) {
    if (!data) return std::nullopt;
    const double margin = 0.5 * (data->high - data->low);
    if (target >= data->low - margin && target <= data->high + margin) return std::nullopt;
    return fmt::format(
        "a target return of {} is far from what the policy has seen: the data's "
        "episodes have returns from {:.6g} to {:.6g}",
        target, data->low, data->high);
}

TargetTable::TargetTable(const RunFolder& folder, const std::vector<double>& targets,
                         std::int64_t step, bool whole) {
    if (targets.size() < 2) return;
    targets_.assign(targets.begin() + 1, targets.end());
    const std::string path = folder.file("target_evaluations.csv");
    std::vector<std::string> rows = read_rows(path);
    std::erase_if(rows, [&](const std::string& row) {
        const std::int64_t at = step_of(row, path);
        return at > step || (at == step && !whole);
    });
    file_.emplace(path, std::string(kEvaluationsHeader) + ",target", rows);
}

void TargetTable::evaluate(const std::string& policy, EvaluationOptions options,
                           std::int64_t step) {
    for (const double target : targets_) {
        options.target_return = target;
        const Evaluation evaluation = evaluate_policy(policy, options);
        for (const EpisodeResult& episode : evaluation.episodes) {
            file_->add(fmt::format("{},{}", evaluation_row(step, evaluation, episode), target));
        }
    }
}

void TargetTable::sync() {
    if (file_) file_->sync();
}

}  // namespace drydock::training
