#include "data/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "base/error.h"

namespace drydock::data {
namespace {

constexpr int kPipe = 3;  // the child's end, after the standard descriptors
constexpr int kNotStarted = 125;
constexpr double kPollSeconds = kPollMilliseconds / 1000.0;
constexpr int kPipeSize = 1 << 20;  // so that the child decodes ahead

// --- In the child. ---

void reset_signals() {
    for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
    // Whether Ctrl-C ends the work is the parent's decision, and its end is the child's.
    for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) std::signal(number, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

void reset_descriptors(int pipe) {
    if (pipe != kPipe && dup2(pipe, kPipe) < 0) _exit(kNotStarted);
    if (close_range(kPipe + 1, ~0U, 0) != 0) {
        rlimit files{};
        getrlimit(RLIMIT_NOFILE, &files);
        const int end = static_cast<int>(std::min<rlim_t>(files.rlim_cur, 65536));
        for (int other = kPipe + 1; other < end; ++other) close(other);
    }
    const int nowhere = open("/dev/null", O_RDWR);
    for (int standard = 0; standard < kPipe; ++standard) {
        if (nowhere < 0) {
            close(standard);
        } else if (nowhere != standard) {
            dup2(nowhere, standard);
        }
    }
    if (nowhere > kPipe) close(nowhere);
}

void set_limit(__rlimit_resource resource, rlim_t value) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0) return;
    limit.rlim_cur = std::min(value, limit.rlim_max);
    setrlimit(resource, &limit);
}

// Of this process, in bytes; 0 when it cannot be told.
std::uint64_t mapped_memory() {
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr) return 0;
    unsigned long long pages = 0;
    const bool read = std::fscanf(file, "%llu", &pages) == 1;
    std::fclose(file);
    return read ? pages * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE)) : 0;
}

void isolate(int pipe, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kNotStarted);  // it ended before that
    reset_descriptors(pipe);
    reset_signals();
    // A core handler is not bound by the limit, but by this.
    prctl(PR_SET_DUMPABLE, 0);
    set_limit(RLIMIT_CORE, 0);
}

[[noreturn]] void run_child(const std::function<void(ChildChannel&)>& body, int pipe, pid_t parent,
                            const ChildLimits& limits) {
    isolate(pipe, parent);
    ChildChannel channel(kPipe, limits);
    int status = 0;
    try {
        body(channel);
    } catch (...) {
        status = 1;
    }
    _exit(status);
}

// --- In the parent. ---

const char* verb(const ChildLimits& limits) {
    return limits.work == ChildWork::reads ? "reads" : "writes";
}

// Holds all signals back, so that no handler of the parent runs in the child before it has reset
// them.
class SignalsHeldBack {
  public:
    SignalsHeldBack() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsHeldBack(const SignalsHeldBack&) = delete;
    SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

  private:
    sigset_t before_{};
};

constexpr auto kByHandle = static_cast<idtype_t>(3);  // P_PIDFD, unknown to older C libraries

// As waitpid() tells it.
int status_of(const siginfo_t& end) {
    if (end.si_code == CLD_EXITED) return (end.si_status & 0xff) << 8;
    return end.si_status | (end.si_code == CLD_DUMPED ? 0x80 : 0);
}

}  // namespace

ChildChannel::ChildChannel(int descriptor, const ChildLimits& limits)
    : descriptor_(descriptor), limits_(limits), memory_at_start_(mapped_memory()) {
    allow_memory(limits.memory);
    note_progress();
}

void ChildChannel::send(const void* head, std::size_t head_size, const void* body,
                        std::size_t body_size) {
    // writev takes the parts without const.
    iovec parts[2] = {{const_cast<void*>(head), head_size}, {const_cast<void*>(body), body_size}};
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        const ssize_t count = writev(descriptor_, parts, 2);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) _exit(1);
        auto left = static_cast<std::size_t>(count);
        for (iovec& part : parts) {
            const std::size_t taken = std::min(left, part.iov_len);
            part.iov_base = static_cast<char*>(part.iov_base) + taken;
            part.iov_len -= taken;
            left -= taken;
        }
    }
    note_progress();
}

void ChildChannel::allow_memory(std::uint64_t bytes) {
    if (memory_at_start_ > 0) set_limit(RLIMIT_AS, memory_at_start_ + bytes);
}

void ChildChannel::forbid_opening() const {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_NOFILE, &none);
}

void ChildChannel::note_progress() const {
    // Counts the time on a processor, so a slow disk does not end the child; SIGPROF does.
    itimerval timer{};
    double whole = 0;
    const double fraction = std::modf(limits_.cpu_seconds, &whole);
    timer.it_value.tv_sec = static_cast<time_t>(whole);
    timer.it_value.tv_usec = static_cast<suseconds_t>(fraction * 1e6);
    setitimer(ITIMER_PROF, &timer, nullptr);
}

ChildProcess::ChildProcess(const std::function<void(ChildChannel&)>& body,
                           const ChildLimits& limits)
    : limits_(limits) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        throw Error(
            fmt::format("expected a pipe to a process of its own that {} the file, got "
                        "\"{}\"",
                        verb(limits), std::strerror(errno)));
    }
    fcntl(ends[1], F_SETPIPE_SZ, kPipeSize);  // a smaller one only is slower
    const pid_t parent = getpid();
    {
        const SignalsHeldBack held_back;
        pid_ = fork();
        if (pid_ == 0) run_child(body, ends[1], parent, limits);
    }
    const int reason = errno;
    close(ends[1]);
    descriptor_ = ends[0];
    if (pid_ > 0) {
        name_child();
        return;
    }
    close(descriptor_);
    throw Error(
        fmt::format("expected a process of its own that {} the file, got \"{}\"; end "
                    "other programs or raise the limit (ulimit -u)",
                    verb(limits), std::strerror(reason)));
}

// By its number where the kernel has no handles. A child that ends and is buried by somebody else
// before it has one needs no signal.
void ChildProcess::name_child() noexcept {
    handle_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    if (handle_ < 0) {
        if (errno == ESRCH) pid_ = -1;
        return;
    }
    siginfo_t end{};
    const int known =
        waitid(kByHandle, static_cast<id_t>(handle_), &end, WEXITED | WNOHANG | WNOWAIT);
    if (known < 0 && errno == EINVAL) close(std::exchange(handle_, -1));
}

int wait_for_children(std::span<pollfd> pipes, bool block) {
    const int ready = poll(pipes.data(), pipes.size(), block ? kPollMilliseconds : 0);
    if (ready < 0 && errno != EINTR) {
        throw Error(
            fmt::format("expected to wait for the processes that use the file, got \"{}\"; raise "
                        "the limits (ulimit -n, ulimit -v)",
                        std::strerror(errno)));
    }
    return ready;
}

void ChildProcess::end() noexcept {
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
    int status = 0;
    if (pid_ > 0) {
        if (handle_ >= 0) {
            syscall(SYS_pidfd_send_signal, handle_, SIGKILL, nullptr, 0);
        } else {
            kill(pid_, SIGKILL);
        }
        bury(0, status);
        pid_ = -1;
    }
    if (handle_ >= 0) close(std::exchange(handle_, -1));
}

bool ChildProcess::bury(int options, int& status) noexcept {
    for (;;) {
        siginfo_t end{};
        const bool by_handle = handle_ >= 0;
        const int result =
            by_handle ? waitid(kByHandle, static_cast<id_t>(handle_), &end, WEXITED | options)
                      : waitpid(pid_, &status, options);
        if (result < 0 && errno == EINTR) continue;
        if (result < 0) {
            status = -1;  // somebody else buried it, or nobody is to know
            return true;
        }
        if (!by_handle) return result == pid_;
        if (end.si_pid == 0) return false;
        status = status_of(end);
        return true;
    }
}

void ChildProcess::receive(void* out, std::size_t size) {
    char* next = static_cast<char*>(out);
    int silent = 0;
    while (size > 0) {
        pollfd wait{descriptor_, POLLIN, 0};
        const int ready = wait_for_children({&wait, 1});
        if (ready == 0 && ++silent == limits_.silent_polls) report_silence(silent);
        if (ready <= 0) continue;
        const ssize_t count = read(descriptor_, next, size);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (count <= 0) report_end();
        silent = 0;
        next += count;
        size -= static_cast<std::size_t>(count);
    }
}

void ChildProcess::report_silence(int polls) {
    throw Error(
        fmt::format("expected data from the disk, got none for {:g} s", polls * kPollSeconds));
}

void ChildProcess::report_end() {
    // The pipe is closed, so the child is about to end; one that closed it by accident is helped.
    int status = 0;
    bool ended = false;
    for (int i = 0; i < 1000 && !ended; ++i) {
        ended = bury(WNOHANG, status);
        if (!ended) usleep(1000);
    }
    if (ended) pid_ = -1;
    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == kNotStarted) {
        throw Error(
            fmt::format("expected a process of its own that {} the file, got one that could not "
                        "start; raise the limits (ulimit -n, ulimit -v)",
                        verb(limits_)));
    }
    const std::string how = ended ? describe_end(status, limits_) : "fell silent";
    if (limits_.work == ChildWork::writes) {
        throw Error(
            fmt::format("expected the HDF5 library to write the file, but it {}; is there "
                        "memory left?",
                        how));
    }
    throw Error(
        fmt::format("expected a whole HDF5 file, got a damaged one: the HDF5 library {} "
                    "on it; fetch the file again",
                    how));
}

std::string describe_end(int status, const ChildLimits& limits) {
    if (status == -1) return "vanished";
    if (WIFEXITED(status)) return fmt::format("gave up (exit status {})", WEXITSTATUS(status));
    const int number = WTERMSIG(status);
    if (number == SIGPROF) {
        return fmt::format("ran for {:g} s without getting any further", limits.cpu_seconds);
    }
    const char* name = sigabbrev_np(number);
    return fmt::format("crashed ({})", name == nullptr ? fmt::format("signal {}", number)
                                                       : fmt::format("SIG{}", name));
}

}  // namespace drydock::data
