#include "training/finetune.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "training/config.h"

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
    refuse(fmt::format("an algorithm that can be fine-tuned online ({}), got {}",
                       fmt::join(fitting, ", "), algorithm));
}

TrainOptions offline_options(const TrainOptions& options) {
    const std::string folder = options.finetune;
    std::error_code error;
    for (const char* name : {"config.toml", "checkpoint.safetensors"}) {
        if (fs::is_regular_file(folder + "/" + name, error)) continue;
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

}  // namespace

void complete_finetune(TrainOptions& options) {
    if (options.finetune.empty()) {
        if (options.online_steps != 0) {
            refuse("--finetune DIR with --online-steps: the offline run to start from");
        }
        return;
    }
    check_algorithm(options.algorithm);
    std::error_code error;
    const fs::path folder = fs::absolute(options.finetune, error);
    if (!error) options.finetune = folder.string();
    TrainOptions was = offline_options(options);
    if (options.online_steps < 1) {
        refuse(fmt::format("--online-steps of 1 or more with --finetune, got {}",
                           options.online_steps));
    }
    inherit(options.dataset, was.dataset);
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

void take_over_offline(RunParts& parts, const Notice& notice) {
    const std::string path = parts.options.finetune + "/checkpoint.safetensors";
    const TensorFile file = read_checkpoint(path);
    const Metadata mine = checkpoint_metadata(parts);
    const std::string was = file.text("environment"), now = mine.at("environment");
    if (!was.empty() && was != now) {
        refuse(fmt::format("the environment of the offline run, {}, got {}", was, now));
    }
    if (file.text("dataset_sha256") != parts.data.sha256) {
        refuse(
            fmt::format("the data of the offline run (SHA-256 {}), whose mean, deviation and "
                        "rewards its networks know, got others in '{}' ({})",
                        file.text("dataset_sha256"), parts.data.path, parts.data.sha256));
    }
    State& state = parts.session->state();
    restore_checkpoint(file, path, state);
    notice(
        fmt::format("fine-tuning from update {} of '{}': parameters, targets and moments are "
                    "taken over",
                    state.counters().step, parts.options.finetune));
    state.counters().step = 0;
    state.counters().seed = parts.options.seed;
}

}  // namespace drydock::training
