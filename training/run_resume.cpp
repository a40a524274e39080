// A run that goes on from its folder: what must be as it was, and what is taken back.
#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "training/build_id.h"
#include "training/config.h"
#include "training/finetune.h"
#include "training/run_assembly.h"
#include "training/run_tables.h"

namespace drydock::training {
namespace {

[[noreturn]] void refuse_change(const std::string& what, const std::string& was,
                                const std::string& now, const std::string& folder) {
    throw Error(fmt::format("[resume] expected {} {} as in the checkpoint, got {}; put "
                            "'{}/config.toml' back, or start a new run with --config",
                            what, was.empty() ? "none" : was, now.empty() ? "none" : now, folder),
                ErrorKind::usage);
}

// How many steps in the environment the updates of a run come to, which may be longer than it was.
void size_online(TrainOptions& options, algorithms::Recipe& recipe) {
    if (!recipe.online() || options.environment.empty()) {
        throw Error(fmt::format("[resume] expected the environment and the policy that '{}' was "
                                "fine-tuned with; put its config.toml back",
                                options.out),
                    ErrorKind::usage);
    }
    const std::int64_t each = recipe.online()->updates_per_step;
    options.online_steps = (options.steps + each - 1) / each;
}

// What decides the bits of an update must be what the run was started with.
void check_same_settings(const TrainOptions& now, algorithms::Recipe& recipe,
                         const TensorFile& checkpoint) {
    TrainOptions was = parse_config(checkpoint.text("config"), now.out + "/checkpoint.safetensors");
    const auto check = [&](const char* what, const std::string& before, const std::string& after) {
        if (before != after) refuse_change(what, before, after, now.out);
    };
    check("algorithm", was.algorithm, now.algorithm);
    check("seed", std::to_string(was.seed), std::to_string(now.seed));
    check("precision", was.precision, now.precision);
    const auto before = resolve_recipe(was);
    for (const std::string& name : recipe.settings().names()) {
        check(name.c_str(), before->settings().get(name), recipe.settings().get(name));
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
std::string isa_for(const std::string& wanted, const std::string& precision) {
    if (std::getenv("DRYDOCK_ISA") != nullptr) return "";
    try {
        Device::cpu(1, wanted, precision_of(precision));
        return wanted;
    } catch (const Error&) {
        return "";
    }
}

void say_what_differs(const TensorFile& checkpoint, Session& session, const Notice& notice) {
    const std::string isa = name_of(session.device().isa());
    if (checkpoint.text("isa") != isa) {
        notice(
            fmt::format("the run was on {} kernels and goes on with {}: correct, but not bit "
                        "for bit what it would have been",
                        checkpoint.text("isa"), isa));
    }
    const auto& metrics = session.state().metric_names();
    const std::string names = fmt::format("{}", fmt::join(metrics, ","));
    if (checkpoint.text("metrics") != names) {
        throw Error(
            fmt::format("[resume] expected the metrics {}, got {} in the checkpoint; go on "
                        "with the build of drydock that the run was started with",
                        names, checkpoint.text("metrics")));
    }
    if (checkpoint.text("build") != build_id()) {
        notice(
            "the run was started by another build of drydock: it goes on, but not necessarily bit "
            "for bit as it would have");
    }
}

// The rows of metrics.csv that the checkpoint knows of. Rows of later updates come again. A row at
// the checkpoint's update while its metrics are still being averaged is of a run's end.
void take_metric_rows(const RunParts& parts, std::int64_t step, EarlierRun& earlier) {
    const auto counts = earlier.extra.find("metric_counts");
    bool pending = false;
    if (counts != earlier.extra.end()) {
        for (const double n : counts->second.to_f64()) pending = pending || n > 0;
    }
    const std::string path = parts.folder.file("metrics.csv");
    for (std::string& row : read_rows(path)) {
        const std::int64_t at = step_of(row, path);
        if (at < step || (at == step && !pending)) earlier.metric_rows.push_back(std::move(row));
    }
}

// Those of evaluations.csv, but for an evaluation at the checkpoint that was cut short: it is taken
// again.
void take_evaluation_rows(const RunParts& parts, std::int64_t step, EarlierRun& earlier) {
    const std::string path = parts.folder.file("evaluations.csv");
    std::vector<std::string> rows = read_rows(path);
    std::erase_if(rows, [&](const std::string& row) { return step_of(row, path) > step; });
    if (parts.environment) {
        earlier.evaluations = parse_evaluations(rows, path, parts.environment->info());
        const auto last = earlier.evaluations.find(step);
        if (last != earlier.evaluations.end() &&
            std::ssize(last->second.episodes) < parts.options.episodes) {
            earlier.evaluations.erase(last);
            std::erase_if(rows, [&](const std::string& row) { return step_of(row, path) == step; });
        }
    }
    earlier.evaluation_rows = std::move(rows);
}

EarlierRun read_earlier(const RunParts& parts, std::int64_t step, Tensors extra) {
    EarlierRun earlier;
    earlier.extra = std::move(extra);
    take_metric_rows(parts, step, earlier);
    take_evaluation_rows(parts, step, earlier);
    return earlier;
}

void restore(RunParts& parts, const TensorFile& checkpoint, const Notice& notice,
             const RunParts* sibling) {
    const std::string path = parts.folder.file("checkpoint.safetensors");
    check_same_data(parts.data, checkpoint);
    const std::string environment = describe_environment(parts.environment.get());
    if (checkpoint.text("environment") != environment) {
        refuse_change("environment", checkpoint.text("environment"), environment,
                      parts.options.out);
    }
    make_session(parts, isa_for(checkpoint.text("isa"), parts.options.precision), sibling);
    say_what_differs(checkpoint, *parts.session, notice);
    Checkpoint restored = restore_checkpoint(checkpoint, path, parts.session->state());
    const std::int64_t step = parts.session->step();
    if (parts.online && !parts.online->restore(restored.extra)) {
        notice(
            "the environment did not play the episode again as it was: a new one begins, and the "
            "run goes on correctly, but not bit for bit as it would have");
    }
    if (parts.options.steps < step) {
        throw Error(fmt::format("[resume] expected steps of {} or more, which are done, got {}; "
                                "give --steps",
                                step, parts.options.steps),
                    ErrorKind::usage);
    }
    parts.earlier = read_earlier(parts, step, std::move(restored.extra));
    notice(fmt::format("going on from update {} of {}", step, parts.options.steps));
}

// Runs that share columns must want the same ones.
void check_sibling(const RunParts& parts, const RunParts& sibling) {
    const TrainOptions &a = parts.options, &b = sibling.options;
    bool same = a.algorithm == b.algorithm && a.dataset == b.dataset &&
                a.environment == b.environment && a.precision == b.precision;
    for (const std::string& name : parts.recipe->settings().names()) {
        same = same && parts.recipe->settings().get(name) == sibling.recipe->settings().get(name);
    }
    if (same) return;
    throw Error(fmt::format("[resume] expected '{}' and '{}' to differ in the seed alone; resume "
                            "each by itself",
                            b.out, a.out),
                ErrorKind::usage);
}

}  // namespace

RunParts continue_run(const ResumeOptions& resume, const Notice& notice, const RunParts* sibling) {
    RunParts parts{{}, RunFolder::of_earlier_run(resume.folder), {}, {}, {}, {}, {}};
    TrainOptions& options = parts.options;
    options = read_config(parts.folder.file("config.toml"));
    options.out = resume.folder;
    options.dataset = resume.dataset.value_or(options.dataset);
    options.steps = resume.steps.value_or(options.steps);
    options.threads = resume.threads.value_or(options.threads);
    check_options(options);
    parts.recipe = resolve_recipe(options);
    if (!options.finetune.empty()) size_online(options, *parts.recipe);
    std::optional<TensorFile> checkpoint;
    if (parts.folder.has("checkpoint.safetensors")) {
        checkpoint = read_checkpoint(parts.folder.file("checkpoint.safetensors"));
        check_same_settings(options, *parts.recipe, *checkpoint);
    }
    parts.environment = find_environment(options.environment);
    make_paths_absolute(options);
    if (!checkpoint) check_offline_environment(parts);
    if (sibling) check_sibling(parts, *sibling);
    load_data(parts, notice, sibling);
    if (checkpoint) {
        restore(parts, *checkpoint, notice, sibling);
    } else {
        notice("the run was ended before its first checkpoint: it begins anew");
        make_session(parts, "", sibling);
        if (parts.online) take_over_offline(parts, notice);
    }
    write_config(parts);
    return parts;
}

}  // namespace drydock::training
