// An operation under every fault in turn.
#pragma once

#include <functional>
#include <string>

#include "tests/faults/injector.h"

namespace drydock::faults {

// Something that either happens as a whole or leaves things as they were. All but `run` are called
// without faults.
struct Operation {
    std::string name;
    std::string folder;            // where its files are; nothing may be left behind there
    std::function<void()> reset;   // to how things were before
    std::function<void()> run;     // throws Error or std::bad_alloc
    std::function<bool()> before;  // whether things are as reset left them
    std::function<bool()> after;   // whether they are as run leaves them
    // A write, sync or rename that fails must be reported; what reads may carry on after some.
    bool writes = false;
    // Tried in a child process, which may crash without ending the test.
    bool isolated = false;
};

struct Count {
    long calls = 0;        // that the fault was put into
    long reported = 0;     // of them came out as an exception
    std::string problems;  // a line for each promise that was broken; the first few
};

// Fails the first call that `fault` applies to, then the second, until the operation gets through
// without a fault. For each: an Error (or std::bad_alloc where memory was missing) came out and
// things are as before, or none and they are as after; no descriptor is left open and no file
// behind; and the same operation without faults then succeeds (after a fault in a child process of
// the operation that is asked one time in sixteen).
Count try_all(const Operation& operation, Fault fault);

}  // namespace drydock::faults
