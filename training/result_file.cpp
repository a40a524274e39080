#include "training/result_file.h"

#include <nlohmann/json.hpp>
#include <span>

#include "base/error.h"
#include "training/export.h"
#include "training/target_returns.h"

namespace drydock::training {
namespace {

nlohmann::json number(const std::optional<double>& x) {
    return x ? nlohmann::json(*x) : nlohmann::json();
}

nlohmann::json updates_per_second(const std::string& path, const TrainResult& result) {
    if (result.updates_per_second > 0) return result.updates_per_second;
    try {
        const std::vector<std::byte> bytes = read_bytes(path);
        const auto earlier = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
        if (earlier.is_object()) return earlier.value("updates_per_second", nlohmann::json());
    } catch (const Error&) {  // there is none
    }
    return {};
}

}  // namespace

void write_result_file(const RunParts& parts, const TrainResult& result) {
    const TrainOptions& options = parts.options;
    const std::string path = parts.folder.file("result.json");
    nlohmann::ordered_json r;
    r["algorithm"] = options.algorithm;
    r["preset"] = options.preset;
    r["preset_for"] = options.preset_for;
    r["dataset"] = parts.data.name;
    r["dataset_sha256"] = parts.data.sha256;
    r["environment"] =
        parts.environment ? nlohmann::json(parts.environment->info().name) : nlohmann::json();
    if (parts.online) {
        r["finetuned_from"] = options.finetune;
        r["online_steps"] = parts.online->steps();
        r["online_episodes"] = parts.online->episodes();
    }
    r["steps"] = result.steps;
    r["stopped"] = result.stopped;
    r["seed"] = options.seed;
    r["device"] = "cpu";
    r["isa"] = name_of(parts.session->device().isa());
    r["precision"] = options.precision;
    r["threads"] = parts.session->device().threads();
    r["updates_per_second"] = updates_per_second(path, result);
    const std::optional<Evaluation>& last = result.last;
    r["score_last"] = number(last ? last->score_mean : std::nullopt);
    r["score_best"] = number(result.score_best);
    r["return_last_mean"] = last ? nlohmann::json(last->return_mean) : nlohmann::json();
    r["return_last_std"] = last ? nlohmann::json(last->return_std) : nlohmann::json();
    r["return_best_mean"] = number(result.return_best);
    r["step_best"] = last ? nlohmann::json(result.step_best) : nlohmann::json();
    const std::vector<double> targets =
        target_returns_of(parts.session->algorithm().policy(), parts.data);
    if (!targets.empty()) r["target_return"] = targets.front();
    r["episodes"] = last ? last->episodes.size() : 0;
    const std::string text = r.dump(2) + "\n";
    write_atomically(path, std::as_bytes(std::span(text)));
}

TensorFile policy_of(const RunParts& parts) {
    const TrainOptions& options = parts.options;
    const std::string environment = parts.environment ? parts.environment->info().name : "";
    return make_policy_file(*parts.session, parts.data,
                            {options.algorithm, options.preset, environment, options.seed, {}});
}

}  // namespace drydock::training
