// How fast an algorithm's updates run, and which nodes take the time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "measure/limits.h"
#include "measure/necessary.h"
#include "measure/node_work.h"
#include "measure/statistics.h"
#include "measure/synthetic.h"
#include "training/session.h"
#include "training/trainer.h"

namespace drydock::measure {

struct UpdateOptions {
    // What trains: algorithm, preset and settings; of a data set where one is named.
    training::TrainOptions train;
    SyntheticSizes sizes;  // without a data set
    std::string isa;       // "": as Device::cpu
    double seconds = 5;    // of all rounds together
    int rounds = 9;
    std::int64_t replays = 0;  // updates of which every node is timed; 0: none
};

// A node of an update, as it ran.
struct NodeTime {
    NodeId node;
    double seconds;  // median over replays
    NodeWork work;
};

// A phase of an update: what runs between two meetings of the threads.
struct PhaseTime {
    double seconds;   // median over replays
    double flop = 0;  // of its products
};

// One program of the schedule.
struct ProgramTimes {
    double share;                   // of the updates that run it
    std::int64_t replays = 0;       // that were timed, and as many by phases
    double seconds = 0;             // median of a replay by phases
    double by_nodes = 0;            // with every node on its own
    std::vector<NodeTime> nodes;    // in the order they ran
    std::vector<PhaseTime> phases;  // of Executable::phases
};

struct UpdateReport {
    Summary rate;              // updates per second, of the rounds
    std::int64_t updates = 0;  // in all rounds
    Work necessary;
    double share_of_peak = 0;  // necessary FLOP of the median rate
    std::string data;          // "synthetic, 100000 transitions"
    std::int64_t observations = 0, actions = 0, batch = 0;
};

// A session ready to be measured. Everything that can be wrong with a call is found here.
class UpdateBench {
  public:
    // Throws Error as training does for wrong options, data or settings.
    explicit UpdateBench(const UpdateOptions& options);

    training::Session& session() { return *session_; }
    Limits& limits() { return limits_; }
    // Runs the updates warm, then in rounds of the same number of updates; measures the limits
    // before and after.
    UpdateReport run();
    // Times every phase of `replays` updates of each program and then every node, after run().
    std::vector<ProgramTimes> time_nodes();

  private:
    struct Replays;
    std::vector<Replays> watch(Executable::Clock clock, std::int64_t periods, std::int64_t period);

    UpdateOptions options_;
    std::unique_ptr<algorithms::Recipe> recipe_;
    std::string data_name_;
    std::unique_ptr<training::Session> session_;
    Limits limits_;
};

// After how many updates the schedule repeats; 1 where all are alike, and `most` where no shorter
// period is seen in the updates that follow.
std::int64_t schedule_period(const Executable& updates, std::int64_t from,
                             std::int64_t most = 1000);

}  // namespace drydock::measure
