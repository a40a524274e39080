// Several executables replayed as one program: networks that are too small to keep the cores busy
// alone, seeds of one run for example, share every phase of the thread pool.
#pragma once

#include <vector>

#include "core/executable.h"

namespace drydock {

class ExecutableGroup {
  public:
    // The executables must outlive the group, share one device and hold the same programs, recorded
    // for states of their own. Throws Error when they do not.
    explicit ExecutableGroup(std::vector<Executable*> members);

    // Replays n updates of every member, which all stand at the same step. Each phase of a program
    // runs for all members at once. A unit's bits depend on nothing else, so that every
    // member ends in the bits of its own Executable::run(n).
    void run(std::int64_t n);

  private:
    // A phase of all members: piece i of the pool is piece i % pieces of member i / pieces.
    struct GroupPhase {
        std::vector<const Phase*> members;
        std::int64_t pieces;
    };
    static void run_phase(const void* phase, std::int64_t first, std::int64_t last);
    void check_steps() const;

    std::vector<Executable*> members_;
    std::vector<std::vector<GroupPhase>> programs_;
};

}  // namespace drydock
