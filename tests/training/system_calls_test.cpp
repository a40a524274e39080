// A replay asks the system for nothing but to wait for a thread and to wake one: a child process
// forbids itself every other system call, and goes on with its updates.
#include <doctest/doctest.h>

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>

#include "tests/training/support.h"

namespace drydock {
namespace {

constexpr int kNoFilter = 77;

// From now on every thread of this process is killed with SIGSYS for another call than these.
bool forbid_system_calls() {
    constexpr auto kAllowed = [](unsigned number) {
        return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    };
    const sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        kAllowed(__NR_futex),
        allow,
        kAllowed(__NR_exit_group),
        allow,
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const sock_fprog filter{sizeof program / sizeof *program, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

// What became of a child that trains, forbids system calls, and then does `then`.
template <class F>
int status_of_child(int threads, F then) {
    const pid_t child = fork();
    if (child == 0) {
        const testing::SmallRun run(threads);
        run.session->run(20);
        if (!forbid_system_calls()) _exit(kNoFilter);
        then(*run.session);
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

TEST_CASE("a replay makes no system call but futex") {
    testing::pendulum_data();  // collected before the fork
    for (const int threads : {1, 2, 5}) {
        CAPTURE(threads);
        const int status =
            status_of_child(threads, [](training::Session& session) { session.run(300); });
        if (WIFEXITED(status) && WEXITSTATUS(status) == kNoFilter) {
            MESSAGE("skipped: this system gives no seccomp filter");
            return;
        }
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 0);
    }
    const int caught = status_of_child(2, [](training::Session&) { sleep(1); });
    CHECK(WIFSIGNALED(caught));
    CHECK(WTERMSIG(caught) == SIGSYS);
}

}  // namespace
}  // namespace drydock

#endif
