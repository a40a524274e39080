#include "training/finetune.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "core/safetensors.h"
#include "training/config.h"
#include "training/run_assembly.h"
#include "training/seeds.h"

namespace drydock::training {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& text) {
    throw Error("[finetune] expected " + text, ErrorKind::usage);
}

void check_algorithm(const std::string& algorithm) {
    std::vector<std::string> fitting;
    for (const std::string& name : algorithms::list_algorithms()) {
        if (algorithms::make_recipe(name)->online()) fitting.push_back(name);
    }
    for (const std::string& name : fitting) {
        if (name == algorithm) return;
    }
    refuse(fmt::format("an algorithm that can be fine-tuned online ({}), got {}, which cannot",
                       fmt::join(fitting, ", "), algorithm));
}

TrainOptions offline_options(const TrainOptions& options) {
    const std::string folder = options.finetune;
    std::error_code error;
    for (const char* name : {"config.toml", "checkpoint.safetensors", "policy.safetensors"}) {
        if (fs::is_regular_file(folder + "/" + name, error)) continue;
        const std::vector<std::string> seeds = seed_folders(folder);
        if (!seeds.empty()) {
            refuse(
                fmt::format("the run of one seed in --finetune, got '{}', which has {}; give "
                            "one of them, as '{}'",
                            folder, seeds.size(), seeds.front()));
        }
        refuse(
            fmt::format("the run folder of `drydock train {}` in --finetune, got '{}', which "
                        "has no {}",
                        options.algorithm, folder, name));
    }
    if (!options.out.empty() && fs::equivalent(folder, options.out, error)) {
        refuse(
            fmt::format("another folder for the new run than '{}', which it starts from; give "
                        "--out",
                        folder));
    }
    TrainOptions was = read_config(folder + "/config.toml");
    if (was.algorithm != options.algorithm) {
        refuse(
            fmt::format("a run of {} in --finetune, got one of {} in '{}'; call 'drydock train "
                        "{}'",
                        options.algorithm, was.algorithm, folder, was.algorithm));
    }
    return was;
}

// The offline run's, where there is no other.
void inherit(std::string& value, const std::string& was) {
    if (value.empty()) value = was;
}

void inherit_dataset(TrainOptions& options, const TrainOptions& was) {
    if (!options.dataset.empty()) return;
    std::error_code error;
    if (!fs::exists(was.dataset, error)) {
        refuse(
            fmt::format("the data of the offline run in '{}', which are no longer there; give "
                        "--dataset FILE, where they are now",
                        was.dataset));
    }
    options.dataset = was.dataset;
}

void inherit_preset(const char* option, std::string& value, const std::string& was) {
    if (!value.empty() && value != was) {
        refuse(
            fmt::format("no {} with --finetune, or '{}' as in the offline run, got '{}'; "
                        "change settings with --set",
                        option, was, value));
    }
    value = was;
}

// The offline run's settings, those of its schedules changed, and then the new run's own.
void inherit_settings(TrainOptions& options, TrainOptions& was) {
    const auto recipe = resolve_recipe(was);
    auto& all = was.settings;
    for (const char* name : {"learning_rate_schedule", "actor_learning_rate_schedule"}) {
        if (recipe->settings().get(name) == "cosine") all.emplace_back(name, "constant");
    }
    if (recipe->settings().contains("bc_steps")) all.emplace_back("bc_steps", "0");
    all.insert(all.end(), options.settings.begin(), options.settings.end());
    options.settings = all;
}

std::string checkpoint_of(const RunParts& parts) {
    return parts.options.finetune + "/checkpoint.safetensors";
}

bool equals(const TensorFile& file, const char* name, const std::vector<float>& values) {
    const std::vector<double> was = file.tensor(name).to_f64();
    return std::equal(was.begin(), was.end(), values.begin(), values.end(),
                      [](double a, float b) { return a == double{b}; });
}

std::string is_other_data(const RunParts& parts, const TensorFile& checkpoint) {
    return fmt::format("the data of the offline run (SHA-256 {}), got others in '{}' ({})",
                       checkpoint.text("dataset_sha256"), parts.data.path, parts.data.sha256);
}

// The offline run's networks know observations, actions and rewards in units that follow from its
// data and settings. Other data may be fine-tuned on where those are the same.
void check_units(const RunParts& parts, const TensorFile& checkpoint, const Notice& notice) {
    const std::string& folder = parts.options.finetune;
    const TensorFile policy = read_tensor_file(folder + "/policy.safetensors");
    TrainOptions was = parse_config(checkpoint.text("config"), folder + "/checkpoint.safetensors");
    const auto recipe = resolve_recipe(was);
    const bool same_data = checkpoint.text("dataset_sha256") == parts.data.sha256;
    if (!same_data && was.dataset == parts.data.path) {
        refuse(is_other_data(parts, checkpoint) +
               ": the file has changed since; put it back, or name other data with --dataset");
    }
    const std::string& rewards = recipe->common().reward_transform;
    if (rewards != parts.recipe->common().reward_transform) {
        refuse(
            fmt::format("reward_transform={} as in the offline run, whose critics know rewards "
                        "in these units, got {}",
                        rewards, parts.recipe->common().reward_transform));
    }
    if (!same_data && rewards.ends_with("_range")) {
        refuse(
            fmt::format("{}: reward_transform={} divides by the returns of the data, and the "
                        "critics know rewards in these units; give that file with --dataset",
                        is_other_data(parts, checkpoint), rewards));
    }
    const data::Normalizer& normalizer = parts.data.normalizer;
    if (!equals(policy, "observation.mean", normalizer.mean) ||
        !equals(policy, "observation.std", normalizer.std)) {
        if (same_data) {
            refuse(
                "observations normalised as in the offline run, whose networks know them so; "
                "leave normalize_observations, observation_epsilon and transitions as they "
                "were");
        }
        refuse(is_other_data(parts, checkpoint) +
               ": the networks know observations normalised by that file; give it with "
               "--dataset, or train offline with normalize_observations=false");
    }
    if (!equals(policy, "action.scale", parts.data.actions.scale) ||
        !equals(policy, "action.bias", parts.data.actions.bias)) {
        refuse(fmt::format(
            "actions from [{}] to [{}] as in the offline run, got bounds [{}] and "
            "[{}]; train offline with this --environment, or with its bound as "
            "max_action",
            fmt::join(policy.tensor("action.low").to_f64(), ", "),
            fmt::join(policy.tensor("action.high").to_f64(), ", "),
            fmt::join(parts.data.actions.low, ", "), fmt::join(parts.data.actions.high, ", ")));
    }
    if (!same_data) {
        notice(fmt::format("the data in '{}' are not the offline run's", parts.data.path));
    }
}

}  // namespace

void complete_finetune(TrainOptions& options) {
    if (options.finetune.empty() && options.online_steps == 0) return;
    check_algorithm(options.algorithm);
    if (options.finetune.empty()) {
        refuse("--finetune DIR with --online-steps: the offline run to start from");
    }
    std::error_code error;
    const fs::path folder = fs::absolute(options.finetune, error);
    if (!error) options.finetune = folder.string();
    TrainOptions was = offline_options(options);
    if (options.online_steps < 1) {
        refuse(fmt::format("--online-steps of 1 or more with --finetune, got {}",
                           options.online_steps));
    }
    inherit_dataset(options, was);
    inherit(options.environment, was.environment);
    if (options.environment.empty()) {
        refuse(fmt::format("--environment NAME to collect in: the run in '{}' had none",
                           folder.string()));
    }
    inherit_preset("--preset", options.preset, was.preset);
    inherit_preset("--preset-for", options.preset_for, was.preset_for);
    inherit_settings(options, was);
    TrainOptions resolved = options;
    const auto recipe = resolve_recipe(resolved);
    const algorithms::OnlineSettings* online = recipe->online();
    if (!online) refuse("policy=actor to fine-tune, got one that has no actor to explore with");
    options.steps = options.online_steps * online->updates_per_step;
}

void check_offline_environment(const RunParts& parts) {
    if (parts.options.finetune.empty()) return;
    const TensorFile file = read_checkpoint(checkpoint_of(parts));
    const std::string was = file.text("environment");
    const std::string now = describe_environment(parts.environment.get());
    if (!was.empty() && was != now) {
        refuse(fmt::format("the environment of the offline run, {}, got {}", was, now));
    }
}

void take_over_offline(RunParts& parts, const Notice& notice) {
    const std::string path = checkpoint_of(parts);
    const TensorFile file = read_checkpoint(path);
    check_units(parts, file, notice);
    State& state = parts.session->state();
    const Checkpoint offline = restore_checkpoint(file, path, state);
    notice(
        fmt::format("fine-tuning from update {} of '{}': parameters, targets and moments are "
                    "taken over",
                    state.counters().step, parts.options.finetune));
    if (offline.extra.contains("online/place")) {
        notice(
            fmt::format("that run was fine-tuned itself, and what it collected stays behind; "
                        "`drydock resume {} --steps N` would go on with it",
                        parts.options.finetune));
    }
    state.counters().step = 0;
    state.counters().seed = parts.options.seed;
}

}  // namespace drydock::training
