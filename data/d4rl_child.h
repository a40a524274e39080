// The part of reading D4RL's layout that runs in a process of its own, and the only one in which
// the HDF5 library sees a foreign file. Internal to data/.
#pragma once

#include <string>

#include "data/child_process.h"
#include "data/d4rl_wire.h"

namespace drydock::data {

struct ReadingTask {
    std::string path;
    std::array<bool, kColumns> wanted{};
    int reader = 0, readers = 1;  // which share of the rows; reader 0 sends the facts
};

// Sends facts, blocks and `done`, or an error that ends it all.
void read_in_child(const ReadingTask& task, ChildChannel& channel);

// Sends one message.
void send(ChildChannel& channel, const Head& head, const void* payload);

}  // namespace drydock::data
