#include "training/data_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "data/d4rl.h"
#include "data/rewards.h"

namespace drydock::training {
namespace {

constexpr std::int64_t kCorlEpisodeSteps = 1000;
constexpr std::int64_t kGoldenRows = 16;

void check_sizes(const data::Dataset& dataset, const envs::EnvironmentInfo& environment) {
    if (dataset.observation_size == environment.observation_size &&
        dataset.action_size == environment.action_size &&
        (dataset.action_count > 0) == (environment.action_count > 0)) {
        return;
    }
    const auto actions = [](std::int64_t size, std::int64_t count) {
        return count > 0 ? fmt::format("a choice among {}", count) : std::to_string(size);
    };
    throw Error(fmt::format(
        "[data] expected {} observations and {} actions for environment '{}', got "
        "{} and {} in '{}'; name the environment that the data come from",
        environment.observation_size, actions(environment.action_size, environment.action_count),
        environment.name, dataset.observation_size,
        actions(dataset.action_size, dataset.action_count), dataset.path));
}

void check_kind(const data::Dataset& dataset, const algorithms::Recipe& recipe) {
    const bool choices = dataset.action_count > 0;
    if (choices ? recipe.takes_choices() : recipe.takes_real_actions()) return;
    std::vector<std::string> fitting;
    for (const std::string& name : algorithms::list_algorithms()) {
        const auto other = algorithms::make_recipe(name);
        if (choices ? other->takes_choices() : other->takes_real_actions()) fitting.push_back(name);
    }
    throw Error(
        fmt::format("[data] expected actions that are {} for {}, got {} in '{}'; train one of {} "
                    "on it",
                    choices ? "real numbers" : "choices (an integer column)", recipe.name(),
                    choices ? fmt::format("choices among {}", dataset.action_count)
                            : fmt::format("{} real numbers per row", dataset.action_size),
                    dataset.path, fmt::join(fitting, ", ")),
        ErrorKind::usage);
}

ActionMap action_map(const data::Dataset& dataset, algorithms::Recipe& recipe,
                     const envs::EnvironmentInfo* environment) {
    if (environment && environment->action_count > 0) {
        return ActionMap::choices(environment->action_count);
    }
    if (environment) {
        return ActionMap::from_bounds(environment->action_low, environment->action_high);
    }
    const auto size = static_cast<std::size_t>(dataset.action_size);
    if (dataset.action_count > 0) return ActionMap::choices(dataset.action_count);
    float bound = 1.0f;
    if (recipe.settings().contains("max_action")) {
        bound = std::strtof(recipe.settings().get("max_action").c_str(), nullptr);
    }
    return ActionMap::from_bounds(std::vector<float>(size, -bound),
                                  std::vector<float>(size, bound));
}

void check_bounds(const data::Dataset& dataset, const ActionMap& map, bool from_environment) {
    try {
        data::check_actions(dataset, map.low, map.high);
    } catch (const Error& error) {
        if (from_environment) throw;
        throw Error(
            fmt::format("{}; name the data's --environment or set max_action", error.what()));
    }
}

// Into [-clip, clip]; with a clip of 1, rounding does not carry a bound outside.
void map_actions(std::vector<float>& actions, const ActionMap& map, double clip) {
    if (!(clip > 0 && clip <= 1)) {
        throw Error(fmt::format("[data] expected action_clip above 0 and at most 1, got {}", clip),
                    ErrorKind::usage);
    }
    const auto limit = static_cast<float>(clip);
    const std::size_t size = map.scale.size();
    for (std::size_t i = 0; i < actions.size(); i += size) {
        for (std::size_t j = 0; j < size; ++j) {
            const float x = (actions[i + j] - map.bias[j]) / map.scale[j];
            actions[i + j] = std::clamp(x, -limit, limit);
        }
    }
}

// Rows at equal distances over the whole file.
std::vector<float> pick_rows(const data::Transitions& transitions, std::int64_t rows) {
    std::vector<float> picked;
    for (std::int64_t i = 0; i < rows; ++i) {
        const auto first = transitions.observations.begin() +
                           i * transitions.count / rows * transitions.observation_size;
        picked.insert(picked.end(), first, first + transitions.observation_size);
    }
    return picked;
}

data::TransitionOptions view_options(algorithms::Recipe& recipe,
                                     const envs::EnvironmentInfo* environment) {
    data::TransitionOptions view;
    view.view = data::parse_transition_view(recipe.common().transitions);
    const bool limited = environment && environment->max_episode_steps > 0;
    view.max_episode_steps = limited ? environment->max_episode_steps : kCorlEpisodeSteps;
    view.next_observations = recipe.reads_outcomes();
    return view;
}

// The rows that are trained on, with the share of trajectories that the settings choose, and the
// normaliser. Every step works on the columns where they are, so that there is never a second copy
// of one.
void choose_rows(data::Dataset dataset, algorithms::Recipe& recipe,
                 const data::TransitionOptions& view, TrainingData& out) {
    const algorithms::CommonSettings& common = recipe.common();
    const auto by = data::parse_best_by(common.best_by);
    const std::int64_t steps =
        common.trajectory_steps > 0 ? common.trajectory_steps : view.max_episode_steps;
    const data::BestOptions best{common.best_fraction.value_or(1.0), common.best_discount, steps};
    const bool chooses = common.best_fraction.has_value();
    const std::int64_t width = dataset.observation_size;
    std::optional<data::Normalizer> normalizer;
    const auto fit = [&](std::span<const float> observations, bool all_rows) {
        if (!common.normalize_observations || (common.normalize_over == "all") != all_rows) return;
        normalizer = data::fit_normalizer(observations, width, common.observation_epsilon);
    };
    if (chooses && by == data::BestBy::transitions) {
        fit(dataset.observations, true);
        out.best = data::keep_best_episodes(dataset, best);
    }
    data::Transitions& t = out.transitions;
    t = data::make_transitions(std::move(dataset), view);
    if (!normalizer) fit(t.observations, true);
    if (chooses && by == data::BestBy::trajectories) {
        out.best = data::keep_best_trajectories(t, best);
    }
    fit(t.observations, false);
    out.normalizer = normalizer ? *normalizer : data::Normalizer::identity(t.observation_size);
}

// Complete episodes with their returns-to-go, what padding shows, and the normaliser.
void make_windows(data::Dataset dataset, const algorithms::CommonSettings& common,
                  const algorithms::WindowSpec& spec, std::int64_t max_episode_steps,
                  TrainingData& out) {
    const std::int64_t width = dataset.observation_size;
    out.normalizer = data::Normalizer::identity(width);
    const auto fit = [&](std::span<const float> observations) {
        if (!common.normalize_observations) return;
        out.normalizer = data::fit_normalizer(observations, width, common.observation_epsilon);
    };
    if (spec.normalize_over_all) fit(dataset.observations);
    data::Transitions& t = out.transitions;
    t = data::make_sequences(std::move(dataset),
                             {spec.discount, spec.reward_scale, max_episode_steps},
                             &out.sequences.emplace());
    if (!spec.normalize_over_all) fit(t.observations);
    t.pad_observation.assign(static_cast<std::size_t>(width), 0.0f);
    if (spec.pad_observation_raw) out.normalizer.apply(std::span(t.pad_observation));
    t.pad_action.assign(static_cast<std::size_t>(t.action_size),
                        static_cast<float>(spec.pad_action));
}

TrainingData prepare_valid(data::Dataset dataset, algorithms::Recipe& recipe,
                           const envs::EnvironmentInfo* environment) {
    check_kind(dataset, recipe);
    if (environment) check_sizes(dataset, *environment);
    algorithms::CommonSettings& common = recipe.common();
    common.action_count = environment && environment->action_count > 0 ? environment->action_count
                                                                       : dataset.action_count;
    TrainingData out;
    out.path = dataset.path;
    out.name = std::filesystem::path(dataset.path).stem().string();
    out.sha256 = dataset.sha256;
    out.actions = action_map(dataset, recipe, environment);
    check_bounds(dataset, out.actions, environment != nullptr);

    const data::TransitionOptions view = view_options(recipe, environment);
    out.returns = episode_returns(dataset, view.max_episode_steps);
    if (const auto windows = recipe.windows()) {
        make_windows(std::move(dataset), common, *windows, view.max_episode_steps, out);
        // What such a policy is asked for is what it was shown.
        out.returns = {out.sequences->lowest_to_go, out.sequences->highest_to_go};
    } else {
        choose_rows(std::move(dataset), recipe, view, out);
    }
    data::Transitions& t = out.transitions;
    const auto rewards = data::parse_reward_transform(common.reward_transform);
    if (recipe.reads_outcomes()) {
        const auto range = data::transform_rewards(t, rewards, view.max_episode_steps);
        out.rewards = data::reward_map(rewards, range, view.max_episode_steps);
    }
    out.golden_rows = std::min(kGoldenRows, t.count);
    out.golden_observations = pick_rows(t, out.golden_rows);
    if (common.normalize_observations) out.normalizer.apply(t);
    if (common.action_count == 0) map_actions(t.actions, out.actions, common.action_clip);
    return out;
}

// Of the stem of D4RL's own antmaze files, which are called after the maze and how it was played
// (the URLs in d4rl/locomotion/__init__.py of Farama-Foundation/D4RL); "" for other stems.
std::string antmaze_key(const std::string& stem) {
    struct Name {
        const char* begin;
        const char* key;
    };
    constexpr Name kNames[] = {
        {"Ant-maze-u-maze-noisy-multistart-False-multigoal-False", "antmaze-umaze"},
        {"Ant-maze-u-maze-noisy-multistart-True-multigoal-True", "antmaze-umaze-diverse"},
        {"Ant-maze-big-maze-noisy-multistart-True-multigoal-False", "antmaze-medium-play"},
        {"Ant-maze-big-maze-noisy-multistart-True-multigoal-True", "antmaze-medium-diverse"},
        {"Ant-maze-hardest-maze-noisy-multistart-True-multigoal-False", "antmaze-large-play"},
        {"Ant-maze-hardest-maze-noisy-multistart-True-multigoal-True", "antmaze-large-diverse"},
    };
    for (const Name& name : kNames) {
        if (stem.starts_with(name.begin)) return name.key;
    }
    return "";
}

}  // namespace

ActionMap ActionMap::from_bounds(std::vector<float> low, std::vector<float> high) {
    ActionMap map;
    for (std::size_t i = 0; i < low.size(); ++i) {
        if (!(high[i] > low[i]) || !std::isfinite(low[i]) || !std::isfinite(high[i])) {
            throw Error(
                fmt::format("[actions] expected finite bounds low < high in dimension {}, got "
                            "{} and {}",
                            i, low[i], high[i]));
        }
        map.scale.push_back(0.5f * (high[i] - low[i]));
        map.bias.push_back(0.5f * (high[i] + low[i]));
    }
    map.low = std::move(low);
    map.high = std::move(high);
    return map;
}

ActionMap ActionMap::choices(std::int64_t count) {
    return {{0.0f}, {static_cast<float>(count - 1)}, {1.0f}, {0.0f}};
}

std::optional<EpisodeReturns> episode_returns(const data::Dataset& dataset,
                                              std::int64_t max_episode_steps) {
    std::optional<EpisodeReturns> returns;
    for (const data::Episode& episode : data::cut_episodes(dataset, max_episode_steps)) {
        if (!episode.complete) continue;
        const double value = data::return_of(dataset, episode);
        if (!returns) returns = EpisodeReturns{value, value};
        returns->low = std::min(returns->low, value);
        returns->high = std::max(returns->high, value);
    }
    return returns;
}

TrainingData prepare_training_data(data::Dataset dataset, algorithms::Recipe& recipe,
                                   const envs::EnvironmentInfo* environment) {
    data::validate(dataset);
    return prepare_valid(std::move(dataset), recipe, environment);
}

TrainingData load_training_data(const std::string& path, algorithms::Recipe& recipe,
                                const envs::EnvironmentInfo* environment) {
    data::ReadOptions options;
    const auto view = data::parse_transition_view(recipe.common().transitions);
    options.next_observations = recipe.reads_outcomes() && data::reads_next_observations(view);
    options.next_observations_made = recipe.reads_outcomes();
    return prepare_valid(data::read_d4rl(path, options), recipe, environment);
}

std::string preset_key(const std::string& path) {
    std::string stem = std::filesystem::path(path).stem().string();
    std::replace(stem.begin(), stem.end(), '_', '-');
    std::size_t digits = stem.size();
    while (digits > 0 && stem[digits - 1] >= '0' && stem[digits - 1] <= '9') --digits;
    if (digits < stem.size() && digits >= 2 && stem.compare(digits - 2, 2, "-v") == 0) {
        stem.resize(digits - 2);
    }
    const std::string antmaze = antmaze_key(stem);
    return antmaze.empty() ? stem : antmaze;
}

}  // namespace drydock::training
