#include "training/run_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <span>

#include "base/error.h"
#include "training/build_id.h"
#include "training/config.h"
#include "training/run_tables.h"

namespace drydock::training {
namespace {

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

std::string absolute(const std::string& path) {
    std::error_code error;
    const std::filesystem::path full = std::filesystem::absolute(path, error);
    return error ? path : full.lexically_normal().string();
}

// The run must be found again from another folder.
void make_paths_absolute(TrainOptions& options) {
    if (!options.dataset.empty()) options.dataset = absolute(options.dataset);
    // A user's own environment is a file.
    std::error_code error;
    if (options.environment.ends_with(".so") &&
        std::filesystem::exists(options.environment, error)) {
        options.environment = absolute(options.environment);
    }
}

std::unique_ptr<envs::Environment> find_environment(const std::string& name) {
    return name.empty() ? nullptr : envs::make_environment(name);
}

void write_config(RunParts& parts) {
    const std::string config = config_text(parts.options, *parts.recipe);
    write_atomically(parts.folder.file("config.toml"), std::as_bytes(std::span(config)));
}

void load_data(RunParts& parts) {
    parts.data = load_training_data(parts.options.dataset, *parts.recipe,
                                    parts.environment ? &parts.environment->info() : nullptr);
}

void make_session(RunParts& parts, const std::string& isa) {
    SessionOptions options;
    options.threads = parts.options.threads;
    options.seed = parts.options.seed;
    options.check_numerics = parts.options.check_numerics;
    options.isa = isa;
    data::Transitions& transitions = parts.data.transitions;
    parts.session = std::make_unique<Session>(*parts.recipe, transitions.observation_size,
                                              transitions.action_size, options);
    parts.session->add_data(std::move(transitions));
    transitions = {};
    parts.session->record_update();
}

// --- A run that goes on ---

using Settings = std::map<std::string, std::string>;

Settings settings_of(const TrainOptions& options) {
    Settings settings(options.settings.begin(), options.settings.end());
    settings["seed"] = std::to_string(options.seed);
    settings["algorithm"] = options.algorithm;
    settings["precision"] = options.precision;
    return settings;
}

// What decides the bits of an update must be what the run was started with.
void check_same_settings(const TrainOptions& now, const TensorFile& checkpoint,
                         const std::string& folder) {
    const std::string name = folder + "/checkpoint.safetensors";
    const Settings was = settings_of(parse_config(checkpoint.text("config"), name));
    for (const auto& [key, value] : settings_of(now)) {
        const auto found = was.find(key);
        const std::string before = found == was.end() ? "nothing" : found->second;
        if (before == value) continue;
        throw Error(fmt::format("[resume] expected {} = {} as in the checkpoint, got {} in "
                                "'{}/config.toml'; put it back, or start a new run with "
                                "--config",
                                key, before, value, folder),
                    ErrorKind::usage);
    }
}

void check_same_data(const TrainingData& data, const TensorFile& checkpoint) {
    const std::string was = checkpoint.text("dataset_sha256");
    if (was == data.sha256) return;
    throw Error(
        fmt::format("[resume] expected the data that the run was started with (SHA-256 "
                    "{}), got others in '{}' ({}); put the file back, or name it with "
                    "--dataset",
                    was, data.path, data.sha256));
}

// The instruction set of the checkpoint, where this machine has it and nothing else was asked for.
std::string isa_for(const std::string& wanted) {
    if (std::getenv("DRYDOCK_ISA") != nullptr) return "";
    try {
        Device::cpu(1, wanted);
        return wanted;
    } catch (const Error&) {
        return "";
    }
}

void say_what_differs(const TensorFile& checkpoint, const Session& session, const Notice& notice) {
    const std::string isa = name_of(session.device().isa());
    if (checkpoint.text("isa") != isa) {
        notice(
            fmt::format("the run was on {} kernels and goes on with {}: correct, but not bit "
                        "for bit what it would have been",
                        checkpoint.text("isa"), isa));
    }
    if (checkpoint.text("build") != build_id()) {
        notice(
            "the run was started by another build of drydock: it goes on, but not necessarily bit "
            "for bit as it would have");
    }
}

// The rows of the tables that the checkpoint knows of. Rows of later updates come again. A row at
// the checkpoint's update while its metrics are still being averaged was written by a stop.
EarlierRun read_earlier(const RunParts& parts, std::int64_t step, Tensors extra) {
    EarlierRun earlier;
    earlier.extra = std::move(extra);
    const std::vector<double> counts = earlier.extra.contains("metric_counts")
                                           ? earlier.extra.at("metric_counts").to_f64()
                                           : std::vector<double>();
    const bool pending = std::any_of(counts.begin(), counts.end(), [](double n) { return n > 0; });
    const std::string metrics = parts.folder.file("metrics.csv");
    for (std::string& row : read_rows(metrics)) {
        const std::int64_t at = step_of(row, metrics);
        if (at < step || (at == step && !pending)) earlier.metric_rows.push_back(std::move(row));
    }
    if (!parts.environment) return earlier;
    const std::string path = parts.folder.file("evaluations.csv");
    std::vector<std::string> rows = read_rows(path);
    std::erase_if(rows, [&](const std::string& row) { return step_of(row, path) > step; });
    earlier.evaluations = parse_evaluations(rows, path, parts.environment->info());
    // An evaluation that was cut short is taken again.
    const auto last = earlier.evaluations.find(step);
    if (last != earlier.evaluations.end() &&
        std::ssize(last->second.episodes) != parts.options.episodes) {
        earlier.evaluations.erase(last);
        std::erase_if(rows, [&](const std::string& row) { return step_of(row, path) == step; });
    }
    earlier.evaluation_rows = std::move(rows);
    return earlier;
}

void restore(RunParts& parts, const TensorFile& checkpoint, const Notice& notice) {
    const std::string path = parts.folder.file("checkpoint.safetensors");
    check_same_data(parts.data, checkpoint);
    make_session(parts, isa_for(checkpoint.text("isa")));
    say_what_differs(checkpoint, *parts.session, notice);
    Checkpoint restored = restore_checkpoint(checkpoint, path, parts.session->state());
    const std::int64_t step = parts.session->step();
    if (parts.options.steps < step) {
        throw Error(fmt::format("[resume] expected --steps of {} or more, which are done, got {}",
                                step, parts.options.steps),
                    ErrorKind::usage);
    }
    parts.earlier = read_earlier(parts, step, std::move(restored.extra));
    notice(fmt::format("going on from update {} of {}", step, parts.options.steps));
}

}  // namespace

RunParts begin_run(const TrainOptions& options, const Notice& notice) {
    check_options(options);
    RunParts parts{options, RunFolder::for_new_run(options.out, options.overwrite), {}, {}, {}, {},
                   {}};
    std::string row;
    parts.recipe = resolve_recipe(parts.options, [&](const std::string& text) { row = text; });
    make_paths_absolute(parts.options);
    // From its config on a run can be resumed, also when reading the data is cut short. A run that
    // takes the place of another leaves that one alone until it can begin.
    const auto begin = [&] {
        parts.folder.create();
        write_config(parts);
    };
    try {
        if (!options.overwrite) begin();
        parts.environment = find_environment(parts.options.environment);
        notice(row);
        load_data(parts);
        make_session(parts, "");
        if (options.overwrite) begin();
        write_config(parts);  // with the layer sizes, which depend on the data
    } catch (...) {
        parts.folder.abandon();
        throw;
    }
    return parts;
}

RunParts continue_run(const ResumeOptions& resume, const Notice& notice) {
    RunParts parts{{}, RunFolder::of_earlier_run(resume.folder), {}, {}, {}, {}, {}};
    TrainOptions& options = parts.options;
    options = read_config(parts.folder.file("config.toml"));
    options.out = resume.folder;
    options.dataset = resume.dataset.value_or(options.dataset);
    options.steps = resume.steps.value_or(options.steps);
    options.threads = resume.threads.value_or(options.threads);
    check_options(options);
    std::optional<TensorFile> checkpoint;
    if (parts.folder.has("checkpoint.safetensors")) {
        checkpoint = read_checkpoint(parts.folder.file("checkpoint.safetensors"));
        check_same_settings(options, *checkpoint, resume.folder);
    }
    parts.recipe = resolve_recipe(options);
    parts.environment = find_environment(options.environment);
    make_paths_absolute(options);
    load_data(parts);
    if (checkpoint) {
        restore(parts, *checkpoint, notice);
    } else {
        notice("the run was ended before its first checkpoint: it begins anew");
        make_session(parts, "");
    }
    write_config(parts);
    return parts;
}

}  // namespace drydock::training
