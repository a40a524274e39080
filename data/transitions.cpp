#include "data/transitions.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace drydock::data {
namespace {

enum class NextFrom { stored, next_row, own_row };

bool flag(const std::vector<std::uint8_t>& column, std::int64_t row) {
    return column[static_cast<std::size_t>(row)] != 0;
}

// Calls emit(row, terminal, where s' lies) for each transition.
template <class Emit>
void walk_qlearning(const Dataset& data, const TransitionOptions& options, Emit&& emit) {
    std::int64_t episode_step = 0;
    for (std::int64_t i = 0; i + 1 < data.rows; ++i) {
        const bool terminal = flag(data.terminals, i);
        const bool final_step = data.has_timeouts() ? flag(data.timeouts, i)
                                                    : episode_step == options.max_episode_steps - 1;
        if (final_step && !options.terminate_on_end) {
            episode_step = 0;
            continue;
        }
        emit(i, terminal, NextFrom::next_row);
        episode_step = terminal || final_step ? 1 : episode_step + 1;
    }
}

template <class Emit>
void walk_corrected(const Dataset& data, const TransitionOptions& options, Emit&& emit) {
    const bool left = data.next_observations_left && !options.next_observations;
    const bool stored = data.has_next_observations() || left;
    std::int64_t episode_step = 0;
    for (std::int64_t i = 0; i < data.rows; ++i) {
        const bool terminal = flag(data.terminals, i);
        const bool timeout = data.has_timeouts() ? flag(data.timeouts, i)
                                                 : episode_step == options.max_episode_steps - 1;
        const bool last = i + 1 == data.rows;
        episode_step = terminal || timeout ? 0 : episode_step + 1;
        if (stored) {
            emit(i, terminal, NextFrom::stored);
        } else if (terminal) {
            emit(i, terminal, NextFrom::own_row);
        } else if (!timeout && !last) {
            emit(i, terminal, NextFrom::next_row);
        }
    }
}

template <class Emit>
void walk(const Dataset& data, const TransitionOptions& options, Emit&& emit) {
    if (options.view == TransitionView::corrected) {
        walk_corrected(data, options, emit);
    } else {
        walk_qlearning(data, options, emit);
    }
}

// Row `to` of a column becomes row `from` of another, or of itself.
void copy_row(std::vector<float>& column, std::int64_t to, const std::vector<float>& source,
              std::int64_t from, std::int64_t width) {
    if (&column == &source && to == from) return;
    std::copy_n(source.begin() + from * width, width, column.begin() + to * width);
}

// s' of row i becomes row k of `next`.
void copy_next(std::vector<float>& next, std::int64_t k, const Dataset& data, std::int64_t i,
               NextFrom from) {
    if (from == NextFrom::stored) {
        copy_row(next, k, next, i, data.observation_size);
    } else {
        const std::int64_t row = from == NextFrom::next_row ? i + 1 : i;
        copy_row(next, k, data.observations, row, data.observation_size);
    }
}

// Moves the rows of the view to the front of their columns. A row never moves back, and row i and
// i + 1 are still in place when row i is emitted.
void compact(Dataset& data, const TransitionOptions& options, std::vector<float>& next,
             std::vector<float>& terminals) {
    auto& observations = data.observations;
    const std::int64_t width = data.observation_size;
    std::int64_t k = 0;
    walk(data, options, [&](std::int64_t i, bool terminal, NextFrom from) {
        if (options.next_observations) copy_next(next, k, data, i, from);
        copy_row(observations, k, observations, i, width);
        copy_row(data.actions, k, data.actions, i, data.action_size);
        copy_row(data.rewards, k, data.rewards, i, 1);
        terminals[static_cast<std::size_t>(k)] = terminal ? 1.0f : 0.0f;
        ++k;
    });
}

}  // namespace

const char* name_of(TransitionView view) {
    return view == TransitionView::corrected ? "corrected" : "qlearning_dataset";
}

TransitionView parse_transition_view(const std::string& name) {
    for (const auto view : {TransitionView::qlearning_dataset, TransitionView::corrected}) {
        if (name == name_of(view)) return view;
    }
    throw Error(fmt::format("[data] expected the transition view qlearning_dataset or corrected, "
                            "got \"{}\"",
                            name),
                ErrorKind::usage);
}

bool reads_next_observations(TransitionView view) { return view == TransitionView::corrected; }

std::int64_t count_transitions(const Dataset& dataset, const TransitionOptions& options) {
    if (options.max_episode_steps <= 0) {
        throw Error(fmt::format("[data] expected max_episode_steps above 0, got {}",
                                options.max_episode_steps),
                    ErrorKind::usage);
    }
    std::int64_t count = 0;
    walk(dataset, options, [&](std::int64_t, bool, NextFrom) { ++count; });
    return count;
}

Transitions make_transitions(Dataset dataset, const TransitionOptions& options) {
    Transitions out;
    out.count = count_transitions(dataset, options);
    if (out.count == 0) {
        throw Error(
            fmt::format("[data] expected at least one transition, got none from {} rows "
                        "through the view {}; collect longer episodes",
                        dataset.rows, name_of(options.view)));
    }
    out.observation_size = dataset.observation_size;
    out.action_size = dataset.action_size;
    out.action_count = dataset.action_count;
    const auto count = static_cast<std::size_t>(out.count);
    const std::size_t observations = count * static_cast<std::size_t>(out.observation_size);
    out.terminals.resize(count);
    if (options.next_observations && dataset.has_next_observations()) {
        compact(dataset, options, dataset.next_observations, out.terminals);
        out.next_observations = std::move(dataset.next_observations);
    } else {
        if (options.next_observations) out.next_observations.resize(observations);
        compact(dataset, options, out.next_observations, out.terminals);
    }
    out.observations = std::move(dataset.observations);
    out.actions = std::move(dataset.actions);
    out.rewards = std::move(dataset.rewards);
    out.observations.resize(observations);
    if (options.next_observations) out.next_observations.resize(observations);
    out.actions.resize(count * static_cast<std::size_t>(out.action_size));
    out.rewards.resize(count);
    return out;
}

}  // namespace drydock::data
