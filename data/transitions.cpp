#include "data/transitions.h"

#include <fmt/format.h>

#include "base/error.h"

namespace drydock::data {
namespace {

// One emitted transition: the row it comes from and where its s' lies.
class Builder {
  public:
    Builder(const Dataset& dataset, Transitions& out) : data_(dataset), out_(out) {
        out_.observation_size = data_.observation_size;
        out_.action_size = data_.action_size;
        const auto rows = static_cast<std::size_t>(data_.rows);
        out_.observations.reserve(data_.observations.size());
        out_.next_observations.reserve(data_.observations.size());
        out_.actions.reserve(data_.actions.size());
        out_.rewards.reserve(rows);
        out_.terminals.reserve(rows);
    }

    // Row i with row j of `next_column` as its s'.
    void emit(std::int64_t i, bool terminal, const std::vector<float>& next_column,
              std::int64_t j) {
        append(out_.observations, data_.observations, i, data_.observation_size);
        append(out_.actions, data_.actions, i, data_.action_size);
        append(out_.next_observations, next_column, j, data_.observation_size);
        out_.rewards.push_back(data_.rewards[static_cast<std::size_t>(i)]);
        out_.terminals.push_back(terminal ? 1.0f : 0.0f);
        ++out_.count;
    }

  private:
    static void append(std::vector<float>& to, const std::vector<float>& from, std::int64_t row,
                       std::int64_t width) {
        const auto first = from.begin() + row * width;
        to.insert(to.end(), first, first + width);
    }

    const Dataset& data_;
    Transitions& out_;
};

bool flag(const std::vector<std::uint8_t>& column, std::int64_t row) {
    return column[static_cast<std::size_t>(row)] != 0;
}

void build_qlearning(const Dataset& data, const TransitionOptions& options, Builder& out) {
    std::int64_t episode_step = 0;
    for (std::int64_t i = 0; i + 1 < data.rows; ++i) {
        const bool terminal = flag(data.terminals, i);
        const bool final_step = data.has_timeouts() ? flag(data.timeouts, i)
                                                    : episode_step == options.max_episode_steps - 1;
        if (final_step && !options.terminate_on_end) {
            episode_step = 0;
            continue;
        }
        out.emit(i, terminal, data.observations, i + 1);
        episode_step = terminal || final_step ? 1 : episode_step + 1;
    }
}

void build_corrected(const Dataset& data, const TransitionOptions& options, Builder& out) {
    const bool stored = data.has_next_observations();
    std::int64_t episode_step = 0;
    for (std::int64_t i = 0; i < data.rows; ++i) {
        const bool terminal = flag(data.terminals, i);
        const bool timeout = data.has_timeouts() ? flag(data.timeouts, i)
                                                 : episode_step == options.max_episode_steps - 1;
        const bool last = i + 1 == data.rows;
        episode_step = terminal || timeout ? 0 : episode_step + 1;
        if (stored) {
            out.emit(i, terminal, data.next_observations, i);
        } else if (terminal) {
            out.emit(i, terminal, data.observations, i);
        } else if (!timeout && !last) {
            out.emit(i, terminal, data.observations, i + 1);
        }
    }
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

Transitions make_transitions(const Dataset& dataset, const TransitionOptions& options) {
    if (options.max_episode_steps <= 0) {
        throw Error(fmt::format("[data] expected max_episode_steps above 0, got {}",
                                options.max_episode_steps),
                    ErrorKind::usage);
    }
    Transitions transitions;
    Builder builder(dataset, transitions);
    if (options.view == TransitionView::corrected) {
        build_corrected(dataset, options, builder);
    } else {
        build_qlearning(dataset, options, builder);
    }
    if (transitions.count == 0) {
        throw Error(
            fmt::format("[data] expected at least one transition, got none from {} rows "
                        "through the view {}; collect longer episodes",
                        dataset.rows, name_of(options.view)));
    }
    return transitions;
}

}  // namespace drydock::data
