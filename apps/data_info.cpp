// drydock data info: what a data file holds, what its episodes paid, and what to beware of.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "apps/command.h"
#include "apps/format.h"
#include "base/error.h"
#include "data/d4rl.h"
#include "data/statistics.h"
#include "data/transitions.h"
#include "envs/environment.h"

namespace drydock::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kD4rlTimeLimit = 1000;  // what qlearning_dataset assumes
constexpr std::size_t kMostDimensions = 24;    // that a table on the page has
constexpr std::size_t kMostColumns = 12;

struct Options {
    std::string file;
    std::string environment;
    std::int64_t max_episode_steps = 0;
    std::string json;
};

// All that the page and the JSON are made of.
struct FileFacts {
    data::Dataset dataset;
    std::optional<envs::EnvironmentInfo> environment;
    std::string environment_source;
    std::int64_t max_episode_steps = 0;
    data::DatasetStatistics statistics;
    std::int64_t transitions_d4rl = 0, transitions_corrected = 0;
    std::int64_t actions_outside = 0;       // rows
    std::vector<double> actions_at_bounds;  // share of the rows, per dimension
    std::vector<std::string> warnings;
};

void find_environment(const Options& options, FileFacts& facts) {
    const auto& attributes = facts.dataset.attributes;
    std::string name = options.environment;
    facts.environment_source = "given";
    if (name.empty()) {
        const auto stored = attributes.find("env");
        const auto known = envs::list_environments();
        if (stored == attributes.end() ||
            std::find(known.begin(), known.end(), stored->second) == known.end()) {
            return;
        }
        name = stored->second;
        facts.environment_source = "named in the file";
    }
    facts.environment = envs::environment_info(name);
    const envs::EnvironmentInfo& info = *facts.environment;
    if (info.observation_size != facts.dataset.observation_size ||
        info.action_size != facts.dataset.action_size) {
        throw Error(
            fmt::format("[data] expected {} observations and {} actions as {} has, got {} "
                        "and {} in {}; name the environment that the file comes from",
                        info.observation_size, info.action_size, name,
                        facts.dataset.observation_size, facts.dataset.action_size, options.file));
    }
}

std::int64_t count_transitions(const FileFacts& facts, data::TransitionView view) {
    data::TransitionOptions options;
    options.view = view;
    options.max_episode_steps = facts.max_episode_steps;
    return data::count_transitions(facts.dataset, options);
}

// Compares the actions with the environment's bounds, or with -1 and 1 where it is not known.
void measure_actions(FileFacts& facts) {
    const auto width = static_cast<std::size_t>(facts.dataset.action_size);
    std::vector<float> low(width, -1.0f), high(width, 1.0f);
    if (facts.environment) {
        low = facts.environment->action_low;
        high = facts.environment->action_high;
    }
    facts.actions_at_bounds.assign(width, 0.0);
    const auto& actions = facts.dataset.actions;
    for (std::size_t row = 0; row * width < actions.size(); ++row) {
        bool outside = false;
        for (std::size_t j = 0; j < width; ++j) {
            const float a = actions[row * width + j];
            outside = outside || a < low[j] || a > high[j];
            if (a == low[j] || a == high[j]) facts.actions_at_bounds[j] += 1.0;
        }
        facts.actions_outside += outside;
    }
    for (double& share : facts.actions_at_bounds) share /= static_cast<double>(facts.dataset.rows);
}

void warn_about_episodes(FileFacts& facts) {
    const data::DatasetStatistics& s = facts.statistics;
    auto& warnings = facts.warnings;
    if (s.both_flags > 0) {
        warnings.push_back(fmt::format(
            "{} rows are a terminal and a timeout at once. The view qlearning_dataset drops such "
            "rows, and the terminal with them; 'transitions=corrected' keeps them.",
            grouped(s.both_flags)));
    }
    if (!facts.dataset.has_timeouts()) {
        warnings.push_back(fmt::format(
            "The file has no timeouts: episodes were cut after {} rows, as D4RL does it. "
            "--max-episode-steps changes that.",
            grouped(facts.max_episode_steps)));
    }
    if (s.cut_episodes > 0) {
        warnings.push_back(fmt::format(
            "The last episode ends where the file ends: its {} rows train, but its return does "
            "not count.",
            grouped(s.cut_rows)));
    }
    if (s.complete_episodes == 0) {
        warnings.push_back("No episode is complete: there are no returns to compare with.");
    }
    if (s.discontinuities > 0) {
        warnings.push_back(fmt::format(
            "{} rows have a next observation that is not the observation of the row after, the "
            "first in row {}: pieces were joined, or a column is shifted. qlearning_dataset takes "
            "the row after, 'transitions=corrected' the stored one.",
            grouped(s.discontinuities), grouped(s.first_discontinuity)));
    }
}

void warn_about_values(FileFacts& facts) {
    const data::DatasetStatistics& s = facts.statistics;
    if (facts.actions_outside > 0) {
        facts.warnings.push_back(
            facts.environment
                ? fmt::format("{} rows have actions outside the bounds of {}: training refuses "
                              "them. Clip the actions, or name the environment they come from.",
                              grouped(facts.actions_outside), facts.environment->name)
                : fmt::format("{} rows have actions outside -1 and 1: name the environment, or "
                              "train with '--set max_action=BOUND'.",
                              grouped(facts.actions_outside)));
    }
    std::vector<std::size_t> constant;
    for (std::size_t j = 0; j < s.observation.size(); ++j) {
        if (s.observation[j].min == s.observation[j].max) constant.push_back(j);
    }
    if (!constant.empty()) {
        std::string more;
        if (constant.size() > kMostDimensions) {
            more = fmt::format(" and {} more", constant.size() - kMostDimensions);
            constant.resize(kMostDimensions);
        }
        facts.warnings.push_back(fmt::format(
            "Observations {}{} never change: normalising divides by observation_epsilon "
            "alone, so that any other value becomes a very large input.",
            fmt::join(constant, ", "), more));
    }
    // Where they are, an episode's return still tells how long it lasted.
    if (s.reward.min == s.reward.max && (s.terminals == 0 || s.reward.max == 0)) {
        facts.warnings.push_back("All rewards are equal: there is nothing to learn from.");
    }
}

FileFacts gather(const Options& options) {
    FileFacts facts;
    facts.dataset = data::read_d4rl(options.file);
    find_environment(options, facts);
    facts.max_episode_steps = options.max_episode_steps > 0 ? options.max_episode_steps
                              : facts.environment           ? facts.environment->max_episode_steps
                                                            : kD4rlTimeLimit;
    facts.statistics = data::compute_statistics(facts.dataset, facts.max_episode_steps);
    facts.transitions_d4rl = count_transitions(facts, data::TransitionView::qlearning_dataset);
    facts.transitions_corrected = count_transitions(facts, data::TransitionView::corrected);
    measure_actions(facts);
    warn_about_episodes(facts);
    warn_about_values(facts);
    return facts;
}

void print_top(const FileFacts& facts) {
    const data::Dataset& d = facts.dataset;
    Facts lines = {
        {"file", fmt::format("{}, sha256 {}", byte_size(std::filesystem::file_size(d.path)),
                             d.sha256.substr(0, 16))}};
    for (const auto& [name, value] : d.attributes) lines.emplace_back(name, value);
    if (facts.environment) {
        lines.emplace_back("environment", fmt::format("{} ({})", facts.environment->name,
                                                      facts.environment_source));
    }
    lines.emplace_back("rows", grouped(d.rows));
    lines.emplace_back("transitions", fmt::format("{} by qlearning_dataset, {} corrected",
                                                  grouped(facts.transitions_d4rl),
                                                  grouped(facts.transitions_corrected)));
    print_facts(lines);
}

void print_columns(const data::Dataset& dataset) {
    print_heading("Columns");
    Table table({"name", "type", "shape", ""});
    std::size_t others = 0;
    for (const bool used : {true, false}) {
        for (const data::ColumnFacts& column : dataset.raw_facts) {
            if (column.used != used) continue;
            if (!used && others++ >= kMostColumns) continue;
            const Tone tone = used ? Tone::plain : Tone::quiet;
            table.add({{column.name, tone},
                       {column.dtype, tone},
                       {shape_text(column.shape), tone},
                       {used ? "" : "not read", tone}});
        }
    }
    table.print();
    if (others > kMostColumns) {
        fmt::print("  and {} more that are not read\n", others - kMostColumns);
    }
}

void print_episodes(const FileFacts& facts) {
    const data::DatasetStatistics& s = facts.statistics;
    print_heading("Episodes");
    print_facts({{"complete", grouped(s.complete_episodes)},
                 {"ends", fmt::format("{} terminals, {} timeouts", grouped(s.terminals),
                                      facts.dataset.has_timeouts() ? grouped(s.timeouts)
                                                                   : "no column of")}});
    if (s.complete_episodes == 0) return;
    fmt::print("\n");
    Table table({"", ">mean", ">± std", ">min", ">10 %", ">median", ">90 %", ">max"});
    const auto add = [&](const char* name, const data::Summary& m, auto&& map, double scale) {
        table.add({name, number(map(m.mean)), number(scale * m.std), number(map(m.min)),
                   number(map(m.p10)), number(map(m.p50)), number(map(m.p90)), number(map(m.max))});
    };
    const auto same = [](double value) { return value; };
    add("return", s.returns, same, 1.0);
    const auto& e = facts.environment;
    if (e && e->reference_min && e->reference_max) {
        const double scale = 100.0 / (*e->reference_max - *e->reference_min);
        add(
            "score", s.returns, [&](double r) { return *envs::normalized_score(*e, r); }, scale);
    }
    add("length", s.lengths, same, 1.0);
    table.print();
    if (e && e->reference_min && !e->score_note.empty()) {
        fmt::print("  {}\n", paint("score: " + wrap(e->score_note, 90, 2), Tone::quiet));
    }
}

void print_values(const FileFacts& facts) {
    const data::DatasetStatistics& s = facts.statistics;
    print_heading("Values");
    Table table(
        {"", ">dimension", ">min", ">max", facts.environment ? ">at its bounds" : ">exactly ±1"});
    table.add({"reward", "", number(s.reward.min), number(s.reward.max), ""});
    for (std::size_t j = 0; j < std::min(s.action.size(), kMostDimensions); ++j) {
        table.add({j == 0 ? "action" : "", std::to_string(j), number(s.action[j].min),
                   number(s.action[j].max), percent(facts.actions_at_bounds[j])});
    }
    for (std::size_t j = 0; j < std::min(s.observation.size(), kMostDimensions); ++j) {
        table.add({j == 0 ? "observation" : "", std::to_string(j), number(s.observation[j].min),
                   number(s.observation[j].max), ""});
    }
    table.print();
    if (std::max(s.action.size(), s.observation.size()) > kMostDimensions) {
        fmt::print("  only the first {} dimensions are shown; --json FILE has all\n",
                   kMostDimensions);
    }
    fmt::print("  mean reward {}\n", number(s.reward_mean));
}

void print_warnings(const std::vector<std::string>& warnings) {
    print_heading(warnings.empty() ? "Nothing to beware of was found" : "Beware");
    for (const std::string& warning : warnings) print_warning(warning);
}

Json json_of(const data::Summary& s) {
    return {{"mean", json_number(s.mean)}, {"std", json_number(s.std)}, {"min", json_number(s.min)},
            {"p10", json_number(s.p10)},   {"p50", json_number(s.p50)}, {"p90", json_number(s.p90)},
            {"max", json_number(s.max)},   {"count", s.count}};
}

Json json_of(const std::vector<data::Range>& ranges) {
    Json list = Json::array();
    for (const data::Range& r : ranges) list.push_back({{"min", r.min}, {"max", r.max}});
    return list;
}

Json json_of(const std::vector<data::ColumnFacts>& columns) {
    Json list = Json::array();
    for (const data::ColumnFacts& c : columns) {
        list.push_back(
            {{"name", c.name}, {"dtype", c.dtype}, {"shape", c.shape}, {"used", c.used}});
    }
    return list;
}

Json json_of(const FileFacts& facts) {
    const data::DatasetStatistics& s = facts.statistics;
    Json json = {
        {"file", facts.dataset.path},
        {"sha256", facts.dataset.sha256},
        {"attributes", facts.dataset.attributes},
        {"environment", nullptr},
        {"rows", s.rows},
        {"observation_size", s.observation_size},
        {"action_size", s.action_size},
        {"episodes", s.episodes},
        {"complete_episodes", s.complete_episodes},
        {"cut_rows", s.cut_rows},
        {"transitions",
         {{"qlearning_dataset", facts.transitions_d4rl},
          {"corrected", facts.transitions_corrected}}},
        {"returns", json_of(s.returns)},
        {"lengths", json_of(s.lengths)},
        {"score_mean", nullptr},
        {"reward", {{"min", s.reward.min}, {"max", s.reward.max}, {"mean", s.reward_mean}}},
        {"actions", json_of(s.action)},
        {"action_at_one", s.action_at_one},
        {"action_at_bounds", facts.actions_at_bounds},
        {"actions_outside", facts.actions_outside},
        {"observations", json_of(s.observation)},
        {"terminals", s.terminals},
        {"timeouts", s.timeouts},
        {"both_flags", s.both_flags},
        {"missing_columns", s.missing_columns},
        {"discontinuities", nullptr},
        {"columns", json_of(facts.dataset.raw_facts)},
        {"warnings", facts.warnings}};
    if (s.discontinuities >= 0) json["discontinuities"] = s.discontinuities;
    if (facts.environment) {
        json["environment"] = facts.environment->name;
        const auto score = envs::normalized_score(*facts.environment, s.returns.mean);
        if (score && s.complete_episodes > 0) json["score_mean"] = json_number(*score);
    }
    return json;
}

int show_info(const Options& options) {
    const FileFacts facts = gather(options);
    print_heading(options.file);
    print_top(facts);
    print_columns(facts.dataset);
    print_episodes(facts);
    print_values(facts);
    print_warnings(facts.warnings);
    if (!options.json.empty()) write_json(options.json, json_of(facts));
    return 0;
}

}  // namespace

void add_data_info(CLI::App& parent, Commands& commands) {
    auto options = std::make_shared<Options>();
    CLI::App* app = parent.add_subcommand("info", "show what a data file holds");
    add_value(*app, "FILE", options->file, "", "HDF5 file in D4RL's layout (docs/data.md)")
        ->required()
        ->group("Arguments");
    add_value(*app, "--environment", options->environment, "NAME",
              fmt::format("for bounds and scores: {} (default: the one named in the file)",
                          fmt::join(envs::list_environments(), ", ")));
    app->add_option("--max-episode-steps", options->max_episode_steps,
                    "cuts episodes in a file without timeouts (default: the environment's, or "
                    "D4RL's 1000)")
        ->type_name("N")
        ->transform(whole_number(1));
    add_value(*app, "--json", options->json, "FILE", "write the same facts for programs");
    app->footer("Example\n  drydock data info hopper-medium-v2.hdf5");
    commands.push_back({app, [options] { return show_info(*options); }});
}

}  // namespace drydock::apps
