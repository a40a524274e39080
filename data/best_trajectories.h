// The best trajectories of a data set, for cloning the best x per cent of it (%BC). What counts as
// a trajectory and as x per cent differs between peers, hence two ways.
#pragma once

#include <cstdint>
#include <string>

#include "data/transitions.h"

namespace drydock::data {

enum class BestBy {
    // CORL's keep_best_trajectories (algorithms/offline/any_percent_bc.py): over the transitions as
    // they are, a trajectory ends at a terminal or after `trajectory_steps` rows, and the rows
    // behind the last end are dropped. Kept are the first max(1, floor(fraction * trajectories)),
    // best first, and the transitions are in that order. On the `qlearning_dataset` view, which has
    // dropped each timed-out row, the cuts drift into the next episode; that is CORL's flaw, kept
    // for parity.
    trajectories,
    // The Decision Transformer authors' pct_traj (gym/experiment.py of kzl/decision-transformer):
    // trajectories are the file's complete episodes. The best is kept, and the next best ones while
    // the rows taken stay under floor(fraction * rows of complete episodes). Rows stay in the
    // file's order.
    transitions,
};

const char* name_of(BestBy by);

// The way of that name; throws drydock::Error (usage) that lists the names.
BestBy parse_best_by(const std::string& name);

struct BestOptions {
    double fraction = 1.0;                 // in (0, 1]
    double discount = 1.0;                 // of the returns that rank trajectories
    std::int64_t trajectory_steps = 1000;  // BestBy::trajectories; and files without timeouts
};

// What was kept of what.
struct BestReport {
    std::int64_t trajectories = 0, kept_trajectories = 0;
    std::int64_t rows = 0, kept_rows = 0;
    double lowest_kept = 0, highest = 0;  // returns, discounted
};

// BestBy::trajectories. Reads rewards and terminals; reorders every column that is there. Where no
// trajectory is complete, all rows are one.
BestReport keep_best_trajectories(Transitions& transitions, const BestOptions& options);

// BestBy::transitions, of a data set: what is made of it afterwards has those episodes alone.
// Throws drydock::Error when no episode is complete.
BestReport keep_best_episodes(Dataset& dataset, const BestOptions& options);

}  // namespace drydock::data
