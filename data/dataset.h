// A data set as columns in memory, whatever file it came from. Readers make one (data/d4rl.h),
// views turn it into transitions (data/transitions.h).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace drydock::data {

// What the file held under one name, before conversion.
struct ColumnFacts {
    std::string name;                 // full path inside the file
    std::string dtype;                // "float32", "float64", "bool", "int64", "string", ...
    std::vector<std::int64_t> shape;  // empty for a scalar
    bool used = false;                // false: listed only
};

// Row i holds: in observations[i], actions[i] was taken, which paid rewards[i] and led to
// next_observations[i]. The order of the rows is the file's; episodes follow one another.
struct Dataset {
    std::int64_t rows = 0;
    std::int64_t observation_size = 0;
    std::int64_t action_size = 0;
    std::vector<float> observations;  // (rows, observation_size)
    std::vector<float> actions;       // (rows, action_size)
    // 0: actions are real numbers. Otherwise action_size is 1 and an action is a whole number below
    // it; a file holds them as integers (rows).
    std::int64_t action_count = 0;
    std::vector<float> rewards;            // (rows)
    std::vector<float> next_observations;  // (rows, observation_size), empty when not stored
    bool next_observations_left = false;   // the file stores them, and they were not read
    std::vector<std::uint8_t> terminals;   // (rows), 1 where the task ended
    std::vector<std::uint8_t> timeouts;  // (rows), 1 where a time limit cut; empty when not stored

    std::map<std::string, std::string> attributes;  // env, seed, ... as found in the file
    std::string path;                               // empty when not read from a file
    std::string sha256;                             // of the file, hexadecimal
    std::vector<ColumnFacts> raw_facts;             // everything the file holds, sorted by name

    bool has_next_observations() const { return !next_observations.empty(); }
    bool has_timeouts() const { return !timeouts.empty(); }
};

// Rows [first, last_exclusive). Its last row says how it ended; an episode that is not complete has
// neither flag there: the last episode of a file is cut where the file ends.
struct Episode {
    std::int64_t first = 0;
    std::int64_t last_exclusive = 0;
    bool terminal = false;
    bool timeout = false;
    bool complete = false;

    std::int64_t length() const { return last_exclusive - first; }
};

// Cuts after each row that has a terminal or a timeout. Where the file stores no timeouts, an
// episode is also cut, as a timeout, when it reaches `max_episode_steps` rows (0: no limit).
// Episodes cover all rows in order.
std::vector<Episode> cut_episodes(const Dataset& dataset, std::int64_t max_episode_steps = 0);

// Undiscounted sum of an episode's rewards, in the order of the rows.
double return_of(const Dataset& dataset, const Episode& episode);

// Throws drydock::Error unless there are rows, every column has the length that `rows` and the
// sizes demand, flags are 0 or 1 and every number is finite. The text names the column, the first
// bad row and the number of bad values. Readers and writers call it.
void validate(const Dataset& dataset);

// Throws drydock::Error unless every action is inside [low, high] (bounds included, no tolerance);
// both are (action_size). The text names the first bad row and dimension and how many there are.
void check_actions(const Dataset& dataset, std::span<const float> low, std::span<const float> high);

}  // namespace drydock::data
