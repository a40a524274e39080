// drydock resume: goes on with a run that was stopped, killed or is to be longer.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "apps/command.h"
#include "apps/format.h"
#include "apps/run_page.h"
#include "training/config.h"

namespace drydock::apps {
namespace {

// What the page shows of the run: its config where it has one. A folder without one is refused by
// training::resume, which says why.
training::TrainOptions describe_run(const training::ResumeOptions& resume) {
    const std::string config = resume.folder + "/config.toml";
    training::TrainOptions options;
    if (std::filesystem::is_regular_file(config)) options = training::read_config(config);
    options.out = resume.folder;
    options.steps = resume.steps.value_or(options.steps);
    options.dataset = resume.dataset.value_or(options.dataset);
    return options;
}

int go_on(training::ResumeOptions resume) {
    while (resume.folder.size() > 1 && resume.folder.ends_with('/')) resume.folder.pop_back();
    const std::vector<std::string> seeds = training::seed_folders(resume.folder);
    if (!seeds.empty()) {
        training::ResumeOptions first = resume;
        first.folder = seeds.front();
        training::TrainOptions options = describe_run(first);
        options.out = resume.folder;
        return show_seeds(options, std::ssize(seeds),
                          [&](const training::TrainCallbacks& callbacks) {
                              return training::resume_seeds(resume, callbacks);
                          });
    }
    const training::TrainOptions options = describe_run(resume);
    return show_run(options, [&](const training::TrainCallbacks& callbacks) {
        return training::resume(resume, callbacks);
    });
}

}  // namespace

void add_resume(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<training::ResumeOptions>();
    CLI::App* app = parent.add_subcommand("resume", "go on with a run that was ended");
    app->add_option("DIR", options->folder,
                    "run folder that `drydock train` left, or the folder of its --seeds")
        ->type_name("")
        ->required()
        ->group("Arguments");
    app->add_option("--steps", options->steps, "train up to this many updates instead")
        ->type_name("N")
        ->transform(whole_number(1));
    app->add_option("--dataset", options->dataset, "the run's data, where the file was moved")
        ->type_name("FILE");
    app->add_option("--threads", options->threads,
                    "0 for all cores; results do not depend on it (default: as the run was "
                    "started)")
        ->type_name("N")
        ->transform(whole_number(0));
    app->footer(
        "Goes on from the last checkpoint, and ends in the bits that the run would have had\n"
        "without the interruption: parameters, optimizer state, random streams, metrics and\n"
        "evaluations. That holds for the same build and instruction set; on others it says so\n"
        "and goes on. Learning-rate schedules keep the horizon max_steps of config.toml when\n"
        "--steps makes the run longer.\n\n"
        "Example\n"
        "  drydock resume runs/iql-hopper-medium-v2-0");
    commands.push_back({app, [options] { return go_on(*options); }});
}

}  // namespace drydock::apps
