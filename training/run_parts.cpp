#include "training/run_parts.h"

#include <fmt/format.h>

#include <cstdlib>

#include "training/build_id.h"
#include "training/config.h"
#include "training/finetune.h"
#include "training/run_assembly.h"
#include "training/target_returns.h"

namespace drydock::training {
namespace {

// What the user should know of the run before it begins.
void notice_run(RunParts& parts, const Notice& notice) {
    const algorithms::PolicyNetwork network = parts.session->algorithm().policy();
    for (const double target : target_returns_of(network, parts.data)) {
        if (const auto warning = target_warning(target, parts.data.returns)) notice(*warning);
    }
    algorithms::Settings& settings = parts.recipe->settings();
    const auto value = [&](const char* name) {
        return settings.contains(name) ? settings.get(name) : std::string();
    };
    if (value("learning_rate_schedule") == "warmup" &&
        std::strtoll(value("warmup_steps").c_str(), nullptr, 10) > parts.options.steps) {
        notice(
            fmt::format("the run of {} updates ends inside the warm-up of {}: the learning rate "
                        "stays below its value",
                        parts.options.steps, value("warmup_steps")));
    }
}

}  // namespace

RunParts begin_run(const TrainOptions& options, const Notice& notice, const std::atomic<bool>* stop,
                   const RunParts* sibling) {
    TrainOptions completed = options;
    complete_finetune(completed);
    check_options(completed);
    RunParts parts{
        completed, RunFolder::for_new_run(options.out, options.overwrite), {}, {}, {}, {}, {}};
    parts.options.out = parts.folder.path();
    std::string row;
    parts.recipe = resolve_recipe(parts.options, [&](const std::string& text) { row = text; });
    make_paths_absolute(parts.options);
    parts.environment = find_environment(parts.options.environment);
    check_offline_environment(parts);
    const auto begin = [&] {
        parts.folder.create();
        write_config(parts);
        parts.folder.commit();
    };
    try {
        // From its config on a run can be resumed, also when reading the data is cut short. A run
        // that takes the place of another leaves that one alone until it can begin.
        if (!options.overwrite) begin();
        notice(row);
        load_data(parts, notice, sibling);
        make_session(parts, "", sibling);
        notice_run(parts, notice);
        if (parts.online) take_over_offline(parts, notice);
        if (options.overwrite) {
            if (stop && stop->load()) {
                throw Stopped(fmt::format("[train] stopped before the run began; '{}' is as it was",
                                          parts.folder.path()));
            }
            begin();
        } else {
            write_config(parts);  // with the layer sizes, which depend on the data
        }
    } catch (...) {
        parts.folder.abandon();
        throw;
    }
    return parts;
}

Metadata checkpoint_metadata(const RunParts& parts) {
    const std::vector<std::string>& metrics = parts.session->state().metric_names();
    return {{"algorithm", parts.options.algorithm},
            {"preset", parts.options.preset},
            {"dataset", parts.options.dataset},
            {"dataset_sha256", parts.data.sha256},
            {"environment", describe_environment(parts.environment.get())},
            {"isa", name_of(parts.session->device().isa())},
            {"build", build_id()},
            {"metrics", fmt::format("{}", fmt::join(metrics, ","))},
            {"config", config_text(parts.options, *parts.recipe)}};
}

}  // namespace drydock::training
