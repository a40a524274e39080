// Transitions (s, a, r, s', terminal), made from a data set by a named view. Which rows a view
// keeps and which s' it takes decide scores as much as a loss does, hence two of them, row by row:
//
// `qlearning_dataset` does what D4RL's function of that name does (d4rl/__init__.py of
// Farama-Foundation/D4RL), its quirks included; published numbers rest on it.
//   1. The file's last row is never emitted.
//   2. s' of row i is observations[i + 1], even where the file stores next observations.
//   3. terminal = terminals[i].
//   4. Row i is a final step when timeouts[i] is set or, in a file without timeouts, when the step
//      counter equals max_episode_steps - 1.
//   5. A final step is dropped. One that is also a terminal is dropped too: a real terminal is
//   lost.
//   6. A terminal row is kept with the first observation of the next episode as its s'.
//   7. With terminate_on_end a final step is kept, its terminal flag is not set, and its s' is the
//      next episode's first observation: the target bootstraps across episodes.
//   8. The step counter restarts at 0 after a dropped final step but at 1 after a terminal or a
//   kept
//      final step, so in files without timeouts those episodes are one row shorter.
//
// `corrected` keeps every row whose outcome is known.
//   1. A terminal row is kept with terminal = 1, whether or not it is a timeout as well.
//   2. s' is the stored next observation where the file has them.
//   3. Where it has not, s' is observations[i + 1] inside an episode, and a terminal row repeats
//   its
//      own observation (a target never reads it, and what does read it sees a state of the data).
//   4. A timed-out row, and the file's last row, is kept where the next observation is stored and
//      dropped where it is not, terminals excepted.
//   5. In a file without timeouts and next observations, the row that completes max_episode_steps
//      steps counts as timed out; the counter starts at 0 in every episode.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace drydock::data {

enum class TransitionView { qlearning_dataset, corrected };

const char* name_of(TransitionView view);

// The view of that name; throws drydock::Error (usage) that lists the names.
TransitionView parse_transition_view(const std::string& name);

struct TransitionOptions {
    TransitionView view = TransitionView::qlearning_dataset;
    bool terminate_on_end = false;          // qlearning_dataset only
    std::int64_t max_episode_steps = 1000;  // read only where the file stores no timeouts
    bool next_observations = true;          // false: none are made; the rows are the same
};

struct Transitions {
    std::int64_t count = 0;
    std::int64_t observation_size = 0;
    std::int64_t action_size = 0;
    std::vector<float> observations;       // (count, observation_size)
    std::vector<float> actions;            // (count, action_size)
    std::int64_t action_count = 0;         // as Dataset's
    std::vector<float> rewards;            // (count)
    std::vector<float> next_observations;  // (count, observation_size), empty where none are made
    std::vector<float> terminals;          // (count), 0 or 1
    // Of sequences (data/sequences.h), which have none of the last three:
    std::vector<float> returns_to_go;           // (count), scaled
    std::vector<std::int64_t> episode_offsets;  // (episodes + 1): rows where one begins, and count
    // What padding shows; empty: zeros.
    std::vector<float> pad_observation, pad_action;  // (observation_size), (action_size)
};

// Takes the data set's columns and compacts them in place, so that give it with std::move: a copy
// is made of what is not given away. Throws drydock::Error when the view leaves no transition or
// max_episode_steps is not positive.
Transitions make_transitions(Dataset dataset, const TransitionOptions& options = {});

// How many transitions the view makes of the data set, 0 included.
std::int64_t count_transitions(const Dataset& dataset, const TransitionOptions& options = {});

// Whether the view reads the stored next observations.
bool reads_next_observations(TransitionView view);

}  // namespace drydock::data
