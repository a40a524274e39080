// From a reader's messages to columns: the layout is checked before anything is allocated, and
// every message against what may come next. Internal to data/.
#pragma once

#include <array>

#include "data/child_process.h"
#include "data/d4rl_wire.h"

namespace drydock::data {

// What the columns must fit into.
struct Room {
    std::uint64_t file_bytes = 0;
    double memory = 0;                    // bytes
    bool next_observations_made = false;  // where none are read, memory for them is needed later
};

class Receiver {
  public:
    // Fills `out`. `wanted` says which columns the readers send.
    Receiver(Dataset& out, const std::array<bool, kColumns>& wanted, int readers, const Room& room);

    // Takes the facts from reader 0, which come before all else. Throws Error when the file is not
    // in D4RL's layout or its columns cannot be meant.
    void take_facts(ChildProcess& reader);
    // Takes the next message of reader `index`. Returns false when it was the last.
    bool take(ChildProcess& reader, int index);

  private:
    struct Progress {
        int column = 0;
        std::int64_t next_row = 0;
    };

    void check_layout(const StoredFile& file);
    void check_memory() const;
    void allocate();
    void begin_column(Progress& progress, int index, int column) const;
    void take_block(ChildProcess& reader, const Head& head, int index);
    void take_floats(ChildProcess& reader, const Head& head, std::vector<float>& column);
    void take_flags(ChildProcess& reader, const Head& head, std::vector<std::uint8_t>& column);
    RowRange share(int index, int column) const;

    Dataset& out_;
    std::array<bool, kColumns> wanted_;
    int readers_;
    Room room_;
    std::array<StoredColumn, kColumns> columns_;
    std::vector<Progress> progress_;  // per reader
};

}  // namespace drydock::data
