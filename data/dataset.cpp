#include "data/dataset.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace drydock::data {
namespace {

void expect_length(const char* name, std::size_t length, std::int64_t rows, std::int64_t width) {
    if (static_cast<std::int64_t>(length) == rows * width) return;
    throw Error(
        fmt::format("[data] expected {} values in {} ({} rows of {}), got {}; all columns "
                    "must have one entry per row",
                    rows * width, name, rows, width, length));
}

void expect_finite(const char* name, const std::vector<float>& column, std::int64_t width) {
    std::int64_t bad = 0;
    std::int64_t first = 0;
    for (std::size_t i = 0; i < column.size(); ++i) {
        if (std::isfinite(column[i])) continue;
        if (bad++ == 0) first = static_cast<std::int64_t>(i);
    }
    if (bad == 0) return;
    throw Error(
        fmt::format("[data] expected finite numbers in {}, got {} in row {} and {} such "
                    "values in all; repair or remove these rows",
                    name, column[static_cast<std::size_t>(first)], first / width, bad));
}

void expect_flags(const char* name, const std::vector<std::uint8_t>& column) {
    for (std::size_t i = 0; i < column.size(); ++i) {
        if (column[i] <= 1) continue;
        throw Error(fmt::format("[data] expected flags of 0 or 1 in {}, got {} in row {}", name,
                                column[i], i));
    }
}

}  // namespace

std::vector<Episode> cut_episodes(const Dataset& dataset, std::int64_t max_episode_steps) {
    std::vector<Episode> episodes;
    const bool limited = !dataset.has_timeouts() && max_episode_steps > 0;
    std::int64_t first = 0;
    for (std::int64_t i = 0; i < dataset.rows; ++i) {
        const auto row = static_cast<std::size_t>(i);
        const bool terminal = dataset.terminals[row] != 0;
        const bool timeout = dataset.has_timeouts()
                                 ? dataset.timeouts[row] != 0
                                 : limited && !terminal && i + 1 - first == max_episode_steps;
        const bool complete = terminal || timeout;
        if (!complete && i + 1 < dataset.rows) continue;
        episodes.push_back({first, i + 1, terminal, timeout, complete});
        first = i + 1;
    }
    return episodes;
}

double return_of(const Dataset& dataset, const Episode& episode) {
    double sum = 0;
    for (std::int64_t i = episode.first; i < episode.last_exclusive; ++i) {
        sum += double{dataset.rewards[static_cast<std::size_t>(i)]};
    }
    return sum;
}

namespace {

// Actions by number.
void expect_choices(const Dataset& dataset) {
    if (dataset.action_count == 0) return;
    const auto count = static_cast<float>(dataset.action_count);
    for (std::size_t i = 0; i < dataset.actions.size(); ++i) {
        const float a = dataset.actions[i];
        if (dataset.action_size == 1 && a >= 0 && a < count && a == std::floor(a)) continue;
        throw Error(
            fmt::format("[data] expected integer actions to be one whole number per row from 0 to "
                        "{}, got {} in row {}, {} per row",
                        dataset.action_count - 1, a,
                        i / static_cast<std::size_t>(dataset.action_size), dataset.action_size));
    }
}

}  // namespace

void validate(const Dataset& dataset) {
    if (dataset.rows <= 0 || dataset.observation_size <= 0 || dataset.action_size <= 0) {
        throw Error(
            fmt::format("[data] expected at least one row with observations and actions, "
                        "got {} rows, observation size {}, action size {}",
                        dataset.rows, dataset.observation_size, dataset.action_size));
    }
    expect_length("observations", dataset.observations.size(), dataset.rows,
                  dataset.observation_size);
    expect_length("actions", dataset.actions.size(), dataset.rows, dataset.action_size);
    expect_length("rewards", dataset.rewards.size(), dataset.rows, 1);
    expect_length("terminals", dataset.terminals.size(), dataset.rows, 1);
    if (dataset.has_next_observations()) {
        expect_length("next_observations", dataset.next_observations.size(), dataset.rows,
                      dataset.observation_size);
    }
    if (dataset.has_timeouts()) {
        expect_length("timeouts", dataset.timeouts.size(), dataset.rows, 1);
    }
    expect_flags("terminals", dataset.terminals);
    expect_flags("timeouts", dataset.timeouts);
    expect_finite("observations", dataset.observations, dataset.observation_size);
    expect_finite("actions", dataset.actions, dataset.action_size);
    expect_choices(dataset);
    expect_finite("rewards", dataset.rewards, 1);
    expect_finite("next_observations", dataset.next_observations, dataset.observation_size);
}

void check_actions(const Dataset& dataset, std::span<const float> low,
                   std::span<const float> high) {
    const auto size = static_cast<std::size_t>(dataset.action_size);
    if (low.size() != size || high.size() != size) {
        throw Error(
            fmt::format("[data] expected action bounds of size {}, got {} and {}; the "
                        "environment does not match the data set",
                        size, low.size(), high.size()));
    }
    std::int64_t bad = 0;
    std::size_t first = 0;
    for (std::size_t i = 0; i < dataset.actions.size(); ++i) {
        const float action = dataset.actions[i];
        if (action >= low[i % size] && action <= high[i % size]) continue;
        if (bad++ == 0) first = i;
    }
    if (bad == 0) return;
    const std::size_t dimension = first % size;
    throw Error(fmt::format(
        "[data] expected actions in dimension {} within [{}, {}], got {} in row "
        "{} and {} values outside their bounds in all; take the environment "
        "that the data come from, or rescale the actions",
        dimension, low[dimension], high[dimension], dataset.actions[first], first / size, bad));
}

}  // namespace drydock::data
