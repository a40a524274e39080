#include "data/sequences.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace drydock::data {
namespace {

void note(const Episode& e, double total, double to_go, SequenceReport& r) {
    const bool first = r.episodes == 0;
    r.lowest_to_go = first ? to_go : std::min(r.lowest_to_go, to_go);
    r.highest_to_go = first ? to_go : std::max(r.highest_to_go, to_go);
    r.shortest = first ? e.length() : std::min(r.shortest, e.length());
    r.longest = std::max(r.longest, e.length());
    r.lowest_return = first ? total : std::min(r.lowest_return, total);
    r.highest_return = first ? total : std::max(r.highest_return, total);
    ++r.episodes;
    r.rows += e.length();
}

}  // namespace

Transitions make_sequences(Dataset dataset, const SequenceOptions& options,
                           SequenceReport* report) {
    Transitions out;
    SequenceReport facts;
    out.episode_offsets.push_back(0);
    out.returns_to_go.resize(static_cast<std::size_t>(dataset.rows));
    for (const Episode& e : cut_episodes(dataset, options.max_episode_steps)) {
        // Only the file's last episode can be incomplete, so that rows stay where they are.
        if (!e.complete) {
            facts.dropped_rows = e.length();
            break;
        }
        double to_go = 0;
        for (std::int64_t i = e.last_exclusive; i-- > e.first;) {
            const auto row = static_cast<std::size_t>(i);
            to_go = double{dataset.rewards[row]} + options.discount * to_go;
            out.returns_to_go[row] = static_cast<float>(options.scale * to_go);
        }
        note(e, return_of(dataset, e), to_go, facts);
        out.episode_offsets.push_back(e.last_exclusive);
    }
    if (facts.episodes == 0) {
        throw Error(fmt::format(
            "[data] expected a complete episode in '{}', got none: no row of {} has a terminal or "
            "a timeout; collect longer episodes",
            dataset.path, dataset.rows));
    }
    out.count = facts.rows;
    out.observation_size = dataset.observation_size;
    out.action_size = dataset.action_size;
    out.observations = std::move(dataset.observations);
    out.actions = std::move(dataset.actions);
    const auto count = static_cast<std::size_t>(out.count);
    out.observations.resize(count * static_cast<std::size_t>(out.observation_size));
    out.actions.resize(count * static_cast<std::size_t>(out.action_size));
    out.returns_to_go.resize(count);
    if (report) *report = facts;
    return out;
}

void append_padding(Transitions& s) {
    const auto add = [](std::vector<float>& column, const std::vector<float>& row,
                        std::int64_t width) {
        const auto n = static_cast<std::size_t>(width);
        column.reserve(column.size() + n);
        for (std::size_t i = 0; i < n; ++i) column.push_back(row.empty() ? 0.0f : row[i]);
    };
    add(s.observations, s.pad_observation, s.observation_size);
    add(s.actions, s.pad_action, s.action_size);
    add(s.returns_to_go, {}, 1);
}

}  // namespace drydock::data
