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

    // Replays n updates of every member, which all stand at the same step. Each kernel call of a
    // program runs for all members at once. A unit's bits depend on nothing else, so that every
    // member ends in the bits of its own Executable::run(n).
    void run(std::int64_t n);

  private:
    // One kernel call of all members: unit i of the pool is unit i % units of member i / units.
    struct GroupStep {
        std::vector<const Step*> members;
        std::int64_t units;
    };
    static void run_units(const void* step, std::int64_t first, std::int64_t last);
    void check_steps() const;

    std::vector<Executable*> members_;
    std::vector<std::vector<GroupStep>> programs_;
};

}  // namespace drydock
