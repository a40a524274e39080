#include "data/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace drydock::data {
namespace {

// Distance above which s'_i and s_{i+1} count as different states; the IQL authors' threshold.
constexpr double kDiscontinuity = 1e-6;

double percentile(const std::vector<double>& sorted, double share) {
    const double position = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const double fraction = position - static_cast<double>(below);
    return sorted[below] + fraction * (sorted[above] - sorted[below]);
}

std::vector<Range> ranges_of(const std::vector<float>& column, std::int64_t width) {
    std::vector<Range> ranges(static_cast<std::size_t>(width));
    for (std::size_t j = 0; j < ranges.size() && j < column.size(); ++j) {
        ranges[j] = {double{column[j]}, double{column[j]}};
    }
    for (std::size_t i = 0; i < column.size(); i += ranges.size()) {
        for (std::size_t j = 0; j < ranges.size(); ++j) {
            ranges[j].min = std::min(ranges[j].min, double{column[i + j]});
            ranges[j].max = std::max(ranges[j].max, double{column[i + j]});
        }
    }
    return ranges;
}

std::vector<double> share_at_one(const std::vector<float>& actions, std::int64_t width) {
    std::vector<double> share(static_cast<std::size_t>(width), 0.0);
    const double rows = static_cast<double>(actions.size()) / static_cast<double>(width);
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (std::abs(actions[i]) == 1.0f) share[i % share.size()] += 1.0;
    }
    for (double& s : share) s /= rows;
    return share;
}

void count_flags(const Dataset& data, DatasetStatistics& out) {
    for (std::size_t i = 0; i < data.terminals.size(); ++i) {
        const bool terminal = data.terminals[i] != 0;
        const bool timeout = data.has_timeouts() && data.timeouts[i] != 0;
        out.terminals += terminal;
        out.timeouts += timeout;
        out.both_flags += terminal && timeout;
    }
}

void measure_episodes(const Dataset& data, const std::vector<Episode>& episodes,
                      DatasetStatistics& out) {
    std::vector<double> returns, lengths;
    for (const Episode& episode : episodes) {
        if (!episode.complete) {
            out.cut_rows += episode.length();
            continue;
        }
        returns.push_back(return_of(data, episode));
        lengths.push_back(static_cast<double>(episode.length()));
    }
    out.episodes = static_cast<std::int64_t>(episodes.size());
    out.complete_episodes = static_cast<std::int64_t>(returns.size());
    out.cut_episodes = out.episodes - out.complete_episodes;
    out.returns = summarize(std::move(returns));
    out.lengths = summarize(std::move(lengths));
}

double step_distance(const Dataset& data, std::int64_t row) {
    double sum = 0;
    for (std::int64_t j = 0; j < data.observation_size; ++j) {
        const auto here = static_cast<std::size_t>(row * data.observation_size + j);
        const auto next = here + static_cast<std::size_t>(data.observation_size);
        const double d = double{data.next_observations[here]} - double{data.observations[next]};
        sum += d * d;
    }
    return std::sqrt(sum);
}

void find_discontinuities(const Dataset& data, const std::vector<Episode>& episodes,
                          DatasetStatistics& out) {
    if (!data.has_next_observations()) return;
    out.discontinuities = 0;
    for (const Episode& episode : episodes) {
        for (std::int64_t i = episode.first; i + 1 < episode.last_exclusive; ++i) {
            if (step_distance(data, i) <= kDiscontinuity) continue;
            if (out.discontinuities++ == 0) out.first_discontinuity = i;
        }
    }
}

}  // namespace

Summary summarize(std::vector<double> values) {
    Summary s;
    if (values.empty()) return s;
    const auto n = static_cast<double>(values.size());
    s.count = static_cast<std::int64_t>(values.size());
    for (const double v : values) s.mean += v;
    s.mean /= n;
    for (const double v : values) s.std += (v - s.mean) * (v - s.mean);
    s.std = std::sqrt(s.std / n);
    std::sort(values.begin(), values.end());
    s.min = values.front();
    s.max = values.back();
    s.p10 = percentile(values, 0.1);
    s.p50 = percentile(values, 0.5);
    s.p90 = percentile(values, 0.9);
    return s;
}

DatasetStatistics compute_statistics(const Dataset& data, std::int64_t max_episode_steps) {
    validate(data);
    const std::vector<Episode> episodes = cut_episodes(data, max_episode_steps);
    DatasetStatistics out;
    out.rows = data.rows;
    out.observation_size = data.observation_size;
    out.action_size = data.action_size;
    measure_episodes(data, episodes, out);
    out.reward = ranges_of(data.rewards, 1).front();
    for (const float reward : data.rewards) out.reward_mean += double{reward};
    out.reward_mean /= static_cast<double>(data.rows);
    out.observation = ranges_of(data.observations, data.observation_size);
    out.action = ranges_of(data.actions, data.action_size);
    out.action_at_one = share_at_one(data.actions, data.action_size);
    count_flags(data, out);
    if (!data.has_timeouts()) out.missing_columns.push_back("timeouts");
    if (!data.has_next_observations()) out.missing_columns.push_back("next_observations");
    find_discontinuities(data, episodes, out);
    return out;
}

double normalized_score(double value, double reference_min, double reference_max) {
    if (!(reference_max > reference_min)) {
        throw Error(
            fmt::format("[data] expected a reference maximum above the minimum, got {} "
                        "and {}",
                        reference_max, reference_min));
    }
    return 100.0 * (value - reference_min) / (reference_max - reference_min);
}

}  // namespace drydock::data
