// drydock train ALGORITHM: one command for each algorithm of the registry.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "algorithms/algorithm.h"
#include "apps/command.h"
#include "apps/format.h"
#include "apps/run_page.h"
#include "base/error.h"
#include "envs/environment.h"
#include "training/config.h"
#include "training/finetune.h"
#include "training/trainer.h"

namespace drydock::apps {
namespace {

using training::TrainOptions;

// The call: options as given, and which of them were given, to lay them over a config file.
struct Call {
    TrainOptions options;
    std::string config;
    std::int64_t seeds = 1;
    std::vector<std::string> settings;
    std::vector<std::function<void(TrainOptions&)>> given;
    const CLI::Option* steps = nullptr;
};

// An option for a member of TrainOptions.
template <class T>
CLI::Option* add_member(CLI::App& app, const std::shared_ptr<Call>& call, const std::string& name,
                        T TrainOptions::*member, const std::string& kind, const std::string& help) {
    CLI::Option* option = add_value(app, name, call->options.*member, kind, help);
    call->given.push_back([option, member, raw = call.get()](TrainOptions& target) {
        if (option->count() > 0) target.*member = raw->options.*member;
    });
    return option;
}

void add_flag(CLI::App& app, const std::shared_ptr<Call>& call, const std::string& name,
              bool TrainOptions::*member, const std::string& help) {
    CLI::Option* option = app.add_flag(name, call->options.*member, help);
    call->given.push_back([option, member](TrainOptions& target) {
        if (option->count() > 0) target.*member = true;
    });
}

void add_options(CLI::App& app, const std::shared_ptr<Call>& call,
                 const algorithms::Recipe& recipe) {
    const auto member = [&](const char* name, auto field, const char* kind,
                            const std::string& help) {
        return add_member(app, call, name, field, kind, help);
    };
    // Where a run cannot be fine-tuned, the options are there to say so.
    const bool online = recipe.online() != nullptr;
    const char* finetuning = online ? "Fine-tuning" : "";
    member("--dataset", &TrainOptions::dataset, "FILE",
           fmt::format("HDF5 file in D4RL's layout; needed here or in {}",
                       online ? "--config, or in --finetune's run" : "--config"))
        ->group("Data");
    member("--environment", &TrainOptions::environment, "NAME",
           fmt::format("simulator that scores the policy: {}, or your own as ./FILE.so; without "
                       "one nothing is scored",
                       fmt::join(envs::list_environments(), ", ")))
        ->group("Data");
    member("--preset", &TrainOptions::preset, "NAME",
           fmt::format("settings to start from: {} (default {})", fmt::join(recipe.presets(), ", "),
                       recipe.presets().front()))
        ->group("Run");
    member("--preset-for", &TrainOptions::preset_for, "DATASET",
           "row of the preset (default: the file's name without -vN)")
        ->group("Run");
    app.add_option("--set", call->settings, "change a setting of the list below; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false)
        ->group("Run");
    app.add_option("--config", call->config,
                   "config.toml of an earlier run; options given here go before it")
        ->type_name("FILE")
        ->group("Run");
    call->options.steps = recipe.default_steps();
    call->steps = member("--steps", &TrainOptions::steps, "N",
                         online ? "updates; with --finetune give --online-steps" : "updates")
                      ->transform(whole_number(1))
                      ->group("Run");
    member("--seed", &TrainOptions::seed, "N",
           online ? "of first values, batches, evaluations and exploration"
                  : "of first values, batches and evaluations")
        ->transform(whole_number(0))
        ->group("Run");
    add_value(
        app, "--seeds", call->seeds, "N",
        "train N seeds, from --seed on, as one program: DIR/seed-K each, bit for bit as alone")
        ->transform(whole_number(1))
        ->group("Run");
    member("--finetune", &TrainOptions::finetune, "DIR",
           "go on from the checkpoint of that run, collecting in its environment; its config.toml "
           "gives the data, environment, preset and settings that are not given here "
           "(docs/finetune.md)")
        ->group(finetuning);
    member("--online-steps", &TrainOptions::online_steps, "N",
           "with --finetune, which needs it: steps to take in the environment, with "
           "updates_per_online_step updates after each")
        ->transform(whole_number(1))
        ->default_str("")
        ->group(finetuning);
    member("--device", &TrainOptions::device, "NAME", "auto or cpu: this build trains on the CPU")
        ->group("Machine");
    member("--precision", &TrainOptions::precision, "NAME",
           "fp32, or bf16: the factors of wide layers' products are rounded")
        ->group("Machine");
    member("--threads", &TrainOptions::threads, "N", "0 for all cores; results do not depend on it")
        ->transform(whole_number(0))
        ->group("Machine");
    member("--evaluate-every", &TrainOptions::evaluate_every, "N",
           "updates between evaluations, 0 for only at the end")
        ->transform(whole_number(0))
        ->group("Evaluation");
    member("--episodes", &TrainOptions::episodes, "N", "per evaluation")
        ->transform(whole_number(0))
        ->group("Evaluation");
    member(
        "--out", &TrainOptions::out, "DIR",
        fmt::format("run folder (default runs/{}-DATASET-SEED, numbered if taken)", recipe.name()))
        ->group("Output");
    add_flag(app, call, "--overwrite", &TrainOptions::overwrite,
             "replace the run that is in the folder");
    app.get_option("--overwrite")->group("Output");
    member("--profile", &TrainOptions::profile, "FILE",
           "write a trace of the kernel calls that Perfetto opens")
        ->group("Debugging");
    add_flag(app, call, "--check-numerics", &TrainOptions::check_numerics,
             "stop at the first node that gives a value that is not finite (slow)");
    app.get_option("--check-numerics")->group("Debugging");
}

std::string settings_page(const std::string& algorithm) {
    const auto recipe = algorithms::make_recipe(algorithm);
    algorithms::Settings& settings = recipe->settings();
    std::string page = paint("Settings for --set", Tone::strong) + "\n";
    for (const std::string& name : settings.names()) {
        std::string value = settings.get(name);
        if (name == "max_steps") value = "--steps";
        if (name == "layer_sizes" && value == "{}") value = "by sizes";
        page +=
            fmt::format("  {:<30} {:>17}  {}\n", name, value, wrap(settings.help(name), 48, 52));
    }
    return page +
           "\nA preset may change them by data set; config.toml in the run folder holds "
           "what was taken.\n";
}

std::pair<std::string, std::string> split_setting(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw Error(fmt::format("expected --set KEY=VALUE, got '{}'", text), ErrorKind::usage);
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

// runs/iql-hopper-medium-v2-0, or with -2, -3, ... where that is taken.
// Several seeds have their range: runs/iql-hopper-medium-v2-0-to-7.
std::string free_folder(const TrainOptions& options, std::int64_t seeds) {
    const std::string stem = std::filesystem::path(options.dataset).stem().string();
    const std::string kind = options.finetune.empty() ? "" : "-finetuned";
    std::string first = fmt::format("runs/{}{}-{}-{}", options.algorithm, kind, stem, options.seed);
    if (seeds > 1)
        first += fmt::format("-to-{}", options.seed + static_cast<std::uint64_t>(seeds) - 1);
    std::string folder = first;
    for (int n = 2; std::filesystem::exists(folder); ++n) folder = fmt::format("{}-{}", first, n);
    return folder;
}

TrainOptions resolve(const Call& call) {
    TrainOptions options;
    options.algorithm = call.options.algorithm;
    options.steps = algorithms::make_recipe(options.algorithm)->default_steps();
    if (!call.config.empty()) {
        options = training::read_config(call.config, options);
        if (options.algorithm != call.options.algorithm) {
            throw Error(fmt::format("expected a config of {}, got one of {} in {}; call 'drydock "
                                    "train {}'",
                                    call.options.algorithm, options.algorithm, call.config,
                                    options.algorithm),
                        ErrorKind::usage);
        }
    }
    for (const auto& lay_over : call.given) lay_over(options);
    for (const std::string& text : call.settings) options.settings.push_back(split_setting(text));
    training::complete_finetune(options);
    if (!options.finetune.empty() && call.steps->count() > 0) {
        throw Error(
            "expected no --steps with --finetune: the updates are --online-steps times "
            "updates_per_online_step",
            ErrorKind::usage);
    }
    if (options.dataset.empty()) {
        throw Error(fmt::format("expected --dataset FILE; 'drydock train {} --help' lists all "
                                "options",
                                options.algorithm),
                    ErrorKind::usage);
    }
    if (options.out.empty()) options.out = free_folder(options, call.seeds);
    return options;
}

int train(const Call& call) {
    const TrainOptions options = resolve(call);
    if (call.seeds > 1) {
        return show_seeds(options, call.seeds, [&](const training::TrainCallbacks& callbacks) {
            return training::train_seeds(options, call.seeds, callbacks);
        });
    }
    return show_run(options, [&](const training::TrainCallbacks& callbacks) {
        return training::train(options, callbacks);
    });
}

void add_algorithm(CLI::App& parent, const std::string& name, Commands& commands) {
    auto call = std::make_shared<Call>();
    call->options.algorithm = name;
    const auto recipe = algorithms::make_recipe(name);
    CLI::App* app = parent.add_subcommand(name, fmt::format("train a policy with {}", name));
    add_options(*app, call, *recipe);
    app->footer([name] {
        return settings_page(name) +
               fmt::format(
                   "\nExample\n  drydock train {} --dataset p.hdf5 --environment pendulum "
                   "\\\n      --steps 10000 --set batch_size=128 --out runs/p",
                   name);
    });
    commands.push_back({app, [call] { return train(*call); }});
}

}  // namespace

void add_train(CLI::App& parent, Commands& commands) {
    CLI::App* app = parent.add_subcommand("train", "train a policy from a data file");
    for (const std::string& name : algorithms::list_algorithms()) {
        add_algorithm(*app, name, commands);
    }
    app->footer("Each has its own options and settings: 'drydock train iql --help' lists them.");
}

}  // namespace drydock::apps
