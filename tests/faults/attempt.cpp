#include "tests/faults/attempt.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <set>

#include "base/error.h"

namespace drydock::faults {
namespace {

namespace fs = std::filesystem;

constexpr long kMostCalls = 200000;
constexpr int kMostProblems = 8;

struct Attempt {
    bool fired = false, reported = false;
    char problem[400] = {};
};

std::set<std::string> names_in(const std::string& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
    return names;
}

bool memory(Fault fault) { return fault == Fault::no_memory || fault == Fault::memory_gone; }

// What came out of a run, for a text: "" nothing, else the exception.
std::string outcome_of(const Operation& operation, bool& allowed, Fault fault) {
    allowed = true;
    try {
        operation.run();
        return "";
    } catch (const Error& error) {
        return std::string("Error: ") + error.what();
    } catch (const std::bad_alloc&) {
        allowed = memory(fault);
        return "std::bad_alloc";
    } catch (const std::exception& error) {
        allowed = false;
        return std::string("another exception: ") + error.what();
    }
}

// The promise that is broken after a run with that outcome, or "".
std::string broken_promise(const Operation& operation, Fault fault, const std::string& call,
                           const std::string& outcome, bool allowed) {
    static const std::set<std::string> kCounts = {"write",  "pwrite",    "writev",   "fsync",
                                                  "rename", "ftruncate", "fdatasync"};
    if (!allowed) return "it threw " + outcome;
    const bool harmless = fault == Fault::short_transfer || fault == Fault::interrupted;
    if (harmless && !outcome.empty()) return "it should have gone on, but threw " + outcome;
    if (outcome.empty()) {
        if (operation.writes && !harmless && !memory(fault) && kCounts.contains(call)) {
            return "it said nothing";
        }
        return operation.after() ? "" : "it said nothing, and the result is wrong";
    }
    return operation.before() ? "" : "things are not as they were before; it threw " + outcome;
}

void attempt(const Operation& operation, Fault fault, long n, Attempt& result) {
    operation.reset();
    const auto files = names_in(operation.folder);
    const auto open_files = names_in("/proc/self/fd").size();
    bool allowed = true;
    // After a fault in a child, which is gone, only the disk could remember: that is compared.
    bool try_again = n % 16 == 0;
    std::string outcome, call;
    {
        const Injection injection(fault, n);
        outcome = outcome_of(operation, allowed, fault);
        result.fired = injection.fired();
        call = injection.call();
        try_again = try_again || !result.fired || injection.fired_here();
    }
    result.reported = !outcome.empty();
    std::string problem = broken_promise(operation, fault, call, outcome, allowed);
    if (problem.empty() && names_in("/proc/self/fd").size() != open_files) {
        problem = "descriptors are left open";
    }
    if (problem.empty() && result.reported && names_in(operation.folder) != files) {
        problem = "files are left behind";
    }
    if (problem.empty() && try_again) {
        const std::string again = outcome_of(operation, allowed, fault);
        if (!again.empty() || !operation.after()) problem = "it does not work afterwards: " + again;
    }
    if (problem.empty()) return;
    std::snprintf(result.problem, sizeof result.problem, "%s, %s in call %ld (%s): %s",
                  operation.name.c_str(), name_of(fault), n, call.c_str(), problem.c_str());
}

// In a child, which answers through shared memory.
void attempt_isolated(const Operation& operation, Fault fault, long n, Attempt& result) {
    static auto* const shared = static_cast<Attempt*>(
        mmap(nullptr, sizeof(Attempt), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    *shared = {};
    const pid_t child = fork();
    if (child == 0) {
        // Not the handlers of the test program, which would report on it.
        for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
            std::signal(signal, SIG_DFL);
        }
        attempt(operation, fault, n, *shared);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    end_injection();
    result = *shared;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    result.fired = true;
    std::snprintf(result.problem, sizeof result.problem, "%s, %s in call %ld: it ended with %s %d",
                  operation.name.c_str(), name_of(fault), n,
                  WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

Count try_all(const Operation& operation, Fault fault) {
    Count count;
    int problems = 0;
    for (long n = 1; n <= kMostCalls && problems < kMostProblems; ++n) {
        Attempt result;
        (operation.isolated ? attempt_isolated : attempt)(operation, fault, n, result);
        if (result.problem[0] != 0) {
            count.problems += std::string(result.problem) + "\n";
            ++problems;
        }
        if (!result.fired) {
            if (result.reported) count.problems += operation.name + ": fails without a fault\n";
            return count;
        }
        ++count.calls;
        count.reported += result.reported ? 1 : 0;
    }
    count.problems += operation.name + ": gave up\n";
    return count;
}

}  // namespace drydock::faults
