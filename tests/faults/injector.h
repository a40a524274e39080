// Fails one chosen allocation or system call. The program that links injector.cpp has its own
// malloc (its own operator new under a sanitizer, which owns malloc) and its own open, write,
// rename, ...; they do what the system's do until an Injection says otherwise.
#pragma once

#include <string>

namespace drydock::faults {

enum class Fault {
    no_memory,       // the n-th allocation fails
    memory_gone,     // the n-th and all that follow
    io_error,        // the n-th call fails with EIO
    disk_full,       // the n-th call that takes space fails with ENOSPC, and all that follow
    short_transfer,  // the n-th read or write that could be cut moves half of its bytes
    interrupted      // the n-th read or write fails with EINTR
};

const char* name_of(Fault fault);

// While it lives, calls are counted from 1 and the n-th that the fault applies to fails. Counting
// goes on in child processes. At most one lives at a time.
class Injection {
  public:
    Injection(Fault fault, long n);
    ~Injection();
    Injection(const Injection&) = delete;
    Injection& operator=(const Injection&) = delete;

    // Whether a call was failed; which, "write" or "fsync of a folder".
    bool fired() const;
    std::string call() const;
    // Whether that was in this process, and not in a child of its.
    bool fired_here() const;
};

// Ends an injection whose process crashed.
void end_injection();

}  // namespace drydock::faults
