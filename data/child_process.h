// A forked child for work that may crash, hang or eat memory, such as letting a library that was
// not written for hostile input look at a file from elsewhere. What happens in the child stays
// there: the parent gets the bytes that the child sent, or an Error that says how it ended.
//
// The child: no descriptors but its pipe (the standard ones lead nowhere), default signal handlers,
// Ctrl-C and its kin left to the parent, no core dump, killed with its parent, ended by _exit, so
// that no handler or destructor of the parent runs in it. Internal to data/.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

namespace drydock::data {

// Without a byte from the child, whatever it waits for: a stuck disk ends here too. Counted in
// polls, so that a program that was stopped (Ctrl-Z) does not lose time.
constexpr int kSilentPolls = 3000;
constexpr int kPollMilliseconds = 100;

// What the child does with the file, for the texts of errors.
enum class ChildWork { reads, writes };

struct ChildLimits {
    double cpu_seconds = 5;                         // between two signs of progress
    std::uint64_t memory = std::uint64_t{1} << 28;  // bytes beyond what the parent has mapped
    int silent_polls = kSilentPolls;                // 0: it may be silent as long as it likes
    ChildWork work = ChildWork::reads;
};

// poll() of several pipes: how many are ready, 0 after kPollMilliseconds (`block` false: at once),
// -1 when a signal came first. Throws Error for all else.
int wait_for_children(std::span<pollfd> pipes, bool block = true);

// The child's end.
class ChildChannel {
  public:
    ChildChannel(int descriptor, const ChildLimits& limits);

    // Sends both parts; ends the process when nobody listens. A sign of progress.
    void send(const void* head, std::size_t head_size, const void* body, std::size_t body_size);
    // Sets the limit of memory: so many bytes beyond what the process began with, as far as the
    // system allows.
    void allow_memory(std::uint64_t bytes);
    // From here on the process can open nothing, and cannot take that back.
    void forbid_opening() const;
    // Gives the process cpu_seconds more, from now.
    void note_progress() const;
    const ChildLimits& limits() const { return limits_; }

  private:
    int descriptor_;
    ChildLimits limits_;
    std::uint64_t memory_at_start_;
};

// The parent's end. Its destructor kills the child where it still runs; none is left behind.
class ChildProcess {
  public:
    // Runs `body` in a child. What `body` throws ends the child with status 1. Throws Error when
    // the system gives no process or no pipe.
    ChildProcess(const std::function<void(ChildChannel&)>& body, const ChildLimits& limits);
    ~ChildProcess() { end(); }
    ChildProcess(ChildProcess&& other) noexcept
        : pid_(std::exchange(other.pid_, -1)),
          handle_(std::exchange(other.handle_, -1)),
          descriptor_(std::exchange(other.descriptor_, -1)),
          limits_(other.limits_) {}
    ChildProcess& operator=(ChildProcess&&) = delete;

    // Reads exactly `size` bytes. Throws Error, with how the child ended, when they do not come.
    void receive(void* out, std::size_t size);
    // Becomes readable when the child has sent something or has ended.
    int descriptor() const { return descriptor_; }
    // Throws the Error of a child that has sent nothing for so many polls.
    [[noreturn]] static void report_silence(int polls);
    // Kills and buries the child.
    void end() noexcept;

  private:
    [[noreturn]] void report_end();

    void name_child() noexcept;
    // Whether the child was buried, which `options` (0 or WNOHANG) may wait for.
    bool bury(int options, int& status) noexcept;

    pid_t pid_ = -1;
    int handle_ = -1;  // a pidfd, which names this child even when its number is another's by now
    int descriptor_ = -1;
    ChildLimits limits_;
};

// How a child ended, from waitpid's status: "crashed (SIGSEGV)".
std::string describe_end(int status, const ChildLimits& limits);

}  // namespace drydock::data
