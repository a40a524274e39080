// Any file as a data set. What is read must be valid, and every view of it must hold together.
#include "base/error.h"
#include "data/d4rl.h"
#include "data/transitions.h"
#include "tests/fuzz/memory_file.h"

namespace drydock::fuzz {
namespace {

void check_transitions(const data::Dataset& dataset, data::TransitionView view) {
    data::Transitions t;
    try {
        data::TransitionOptions options;
        options.view = view;
        t = data::make_transitions(dataset, options);
    } catch (const Error&) {
        return;  // no row is left
    }
    const auto n = static_cast<std::size_t>(t.count);
    const auto width = static_cast<std::size_t>(dataset.observation_size);
    expect(t.count > 0 && t.count <= dataset.rows, "a view has at most the rows of its data set");
    expect(t.observations.size() == n * width && t.next_observations.size() == n * width &&
               t.actions.size() == n * static_cast<std::size_t>(dataset.action_size) &&
               t.rewards.size() == n && t.terminals.size() == n,
           "the columns of a view have one entry per transition");
}

}  // namespace

void run(Bytes input) {
    const MemoryFile file(bytes_of(input));
    data::Dataset dataset;
    try {
        dataset = data::read_d4rl(file.path());
    } catch (const Error&) {
        return;
    }
    data::validate(dataset);  // an Error here is a finding
    std::int64_t rows = 0;
    for (const data::Episode& episode : data::cut_episodes(dataset, 3)) {
        expect(episode.first == rows && episode.length() > 0, "episodes cover all rows in order");
        rows = episode.last_exclusive;
    }
    expect(rows == dataset.rows, "episodes cover all rows");
    check_transitions(dataset, data::TransitionView::qlearning_dataset);
    check_transitions(dataset, data::TransitionView::corrected);
}

}  // namespace drydock::fuzz
