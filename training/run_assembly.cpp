#include "training/run_assembly.h"

#include <fmt/format.h>

#include <filesystem>
#include <span>

#include "base/error.h"
#include "training/config.h"
#include "training/result_file.h"

namespace drydock::training {
namespace {

std::string absolute(const std::string& path) {
    std::error_code error;
    const std::filesystem::path full = std::filesystem::absolute(path, error);
    return error ? path : full.string();
}

// What windows are made of, and what was left out or will be seen clipped.
void notice_sequences(const data::SequenceReport& s, const algorithms::Recipe& recipe,
                      const Notice& notice) {
    notice(fmt::format("{} episodes of {} to {} steps, returns from {:.6g} to {:.6g}", s.episodes,
                       s.shortest, s.longest, s.lowest_return, s.highest_return));
    if (s.dropped_rows > 0) {
        notice(
            fmt::format("the file's last episode is cut after {} steps: its returns-to-go are "
                        "unknown, and it was dropped",
                        s.dropped_rows));
    }
    const std::int64_t context = recipe.windows()->context_length;
    if (s.shortest < context) {
        notice(
            fmt::format("the shortest episode has {} of a window's {} steps: such windows are "
                        "padded",
                        s.shortest, context));
    }
    const std::int64_t steps = recipe.windows()->last_timestep + 1;
    if (s.longest > steps) {
        notice(
            fmt::format("the longest episode has {} steps, and time steps are told apart up to "
                        "{}: set episode_len={}",
                        s.longest, steps, s.longest));
    }
}

}  // namespace

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
    precision_of(o.precision);
}

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

std::string describe_environment(const envs::Environment* environment) {
    if (!environment) return "";
    const envs::EnvironmentInfo& info = environment->info();
    return fmt::format("{} (actions from [{}] to [{}], {} steps, {} observations)", info.name,
                       fmt::join(info.action_low, ", "), fmt::join(info.action_high, ", "),
                       info.max_episode_steps, info.observation_size);
}

void write_config(RunParts& parts) {
    const std::string config = config_text(parts.options, *parts.recipe);
    write_atomically(parts.folder.file("config.toml"), std::as_bytes(std::span(config)));
}

void load_data(RunParts& parts, const Notice& notice, const RunParts* sibling) {
    if (sibling) {
        parts.data = sibling->data;  // whose columns are with its session
        parts.recipe->common().action_count = sibling->recipe->common().action_count;
        return;
    }
    parts.data = load_training_data(parts.options.dataset, *parts.recipe,
                                    parts.environment ? &parts.environment->info() : nullptr);
    if (parts.data.sequences) notice_sequences(*parts.data.sequences, *parts.recipe, notice);
    const std::optional<data::BestReport>& best = parts.data.best;
    if (!best || best->kept_rows == best->rows) return;
    notice(fmt::format(
        "imitating {} of {} trajectories, {} of {} rows; returns from {:.6g} to "
        "{:.6g}{}",
        best->kept_trajectories, best->trajectories, best->kept_rows, best->rows, best->lowest_kept,
        best->highest, parts.recipe->common().best_discount < 1 ? ", discounted" : ""));
}

void make_session(RunParts& parts, const std::string& isa, const RunParts* sibling) {
    SessionOptions options;
    if (sibling) options.device = sibling->session->device();
    options.threads = parts.options.threads;
    options.seed = parts.options.seed;
    options.check_numerics = parts.options.check_numerics;
    options.isa = isa;
    options.precision = precision_of(parts.options.precision);
    data::Transitions& transitions = parts.data.transitions;
    const std::int64_t observations =
        sibling ? sibling->session->observation_size() : transitions.observation_size;
    const std::int64_t actions =
        sibling ? sibling->session->action_size() : transitions.action_size;
    parts.session = std::make_unique<Session>(*parts.recipe, observations, actions, options);
    const bool online = !parts.options.finetune.empty();
    if (sibling) {
        parts.session->share_data(*sibling->session);
    } else {
        parts.session->add_data(std::move(transitions), online ? parts.options.online_steps : 0);
        transitions = {};
    }
    const algorithms::OnlineSettings* settings = parts.recipe->online();
    parts.session->record_update(online && settings->mixing_ratio);
    // What the runtime would refuse is refused now and not at the first checkpoint.
    policy_of(parts);
    if (!online) return;
    parts.online = std::make_unique<OnlineCollection>(
        *parts.session, find_environment(parts.options.environment), parts.data, *settings,
        parts.recipe->common().action_clip, parts.options.seed);
}

}  // namespace drydock::training
