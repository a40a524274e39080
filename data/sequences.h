// Episodes as sequences, for algorithms that read windows of them: the rows of complete episodes
// with their returns-to-go.
#pragma once

#include <cstdint>

#include "data/transitions.h"

namespace drydock::data {

struct SequenceOptions {
    double discount = 1.0;                  // of the rewards in a return-to-go
    double scale = 1.0;                     // of returns-to-go
    std::int64_t max_episode_steps = 1000;  // read only where the file stores no timeouts
};

// What was made of what.
struct SequenceReport {
    std::int64_t episodes = 0, rows = 0;  // complete, kept
    std::int64_t dropped_rows = 0;        // of the last episode, where the end of the file cuts it
    std::int64_t shortest = 0, longest = 0;
    // Undiscounted returns, in the environment's units.
    double lowest_return = 0, highest_return = 0;
    // The same discounted: returns-to-go of first steps, unscaled.
    double lowest_to_go = 0, highest_to_go = 0;
};

// The observations and actions of all complete episodes in the file's order, episode_offsets and
// returns_to_go: row i has scale * (r_i + discount r_i+1 + ...) up to the end of its episode,
// summed from there in double. A last episode that the file's end cuts has no known return and is
// dropped, as in CORL's load_d4rl_trajectories (algorithms/offline/dt.py). Takes the columns: give
// the data set with std::move, or a copy is made. Throws drydock::Error when no episode is
// complete.
Transitions make_sequences(Dataset dataset, const SequenceOptions& options, SequenceReport* report);

// Adds the row that padding shows, one past the data: that observation and action, a return-to-go
// of 0. `count` stays.
void append_padding(Transitions& sequences);

}  // namespace drydock::data
