#include "data/child_process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/data/example.h"

namespace drydock::data {
namespace {

// The undefined-behaviour sanitizer looks at the first Error of a process through a pipe, which a
// child that may open nothing cannot make. So there is one before any child begins.
[[maybe_unused]] const bool kErrorSeen = [] {
    try {
        throw Error("seen");
    } catch (const Error& error) {
        return error.what()[0] == 's';
    }
}();

using Body = std::function<void(ChildChannel&)>;

// What the parent is told when it waits for a number of a child that runs `body`.
std::string end_of(const Body& body, const ChildLimits& limits = {}) {
    ChildProcess child(body, limits);
    return message_of([&] {
        int number = 0;
        child.receive(&number, sizeof number);
    });
}

// The number that a child sends.
int number_of(const std::function<int(ChildChannel&)>& find, const ChildLimits& limits = {}) {
    ChildProcess child(
        [&](ChildChannel& channel) {
            const int number = find(channel);
            channel.send(&number, sizeof number, nullptr, 0);
        },
        limits);
    int number = 0;
    child.receive(&number, sizeof number);
    return number;
}

std::ptrdiff_t open_descriptors() {
    const std::filesystem::directory_iterator list("/proc/self/fd");
    return std::distance(begin(list), end(list));
}

bool has_children() { return waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

}  // namespace

TEST_CASE("a child's bytes arrive whole, also more than a pipe holds") {
    std::vector<int> sent(1 << 20);
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<int>(7 * i);
    ChildProcess child(
        [&](ChildChannel& channel) {
            channel.send(sent.data(), 12, sent.data() + 3, 4 * sent.size() - 12);
        },
        {});
    std::vector<int> received(sent.size());
    child.receive(received.data(), 4 * received.size());
    CHECK(received == sent);
}

TEST_CASE("the end of a child is told: signals by name, exit codes, silence") {
    CHECK(has_all(end_of([](ChildChannel&) { raise(SIGSEGV); }), {"damaged", "crashed (SIGSEGV)"}));
    CHECK(has_all(end_of([](ChildChannel&) { std::abort(); }), {"crashed (SIGABRT)"}));
    CHECK(has_all(end_of([](ChildChannel&) { raise(SIGKILL); }), {"crashed (SIGKILL)"}));
    CHECK(has_all(end_of([](ChildChannel&) { _exit(66); }), {"gave up (exit status 66)"}));
    CHECK(has_all(end_of([](ChildChannel&) { throw 1; }), {"gave up (exit status 1)"}));
    CHECK(has_all(end_of([](ChildChannel&) {}), {"gave up (exit status 0)"}));
    CHECK(has_all(end_of([](ChildChannel& channel) {
                      channel.send("ab", 2, nullptr, 0);  // half a number
                  }),
                  {"gave up (exit status 0)"}));
    CHECK(describe_end(-1, {}) == "vanished");
}

TEST_CASE("how the end is told suits what the child does") {
    ChildLimits limits;
    limits.work = ChildWork::writes;
    const std::string text = end_of([](ChildChannel&) { raise(SIGKILL); }, limits);
    CHECK(has_all(text, {"to write the file", "crashed (SIGKILL)"}));
    CHECK_FALSE(has_all(text, {"fetch"}));
}

TEST_CASE("a silent child ends where silence is limited, and there alone") {
    ChildLimits limits;
    const auto slow = [](ChildChannel&) {
        usleep(3500 * kPollMilliseconds);
        return 6;
    };
    limits.silent_polls = 1;
    CHECK(has_all(message_of([&] { number_of(slow, limits); }),
                  {"expected data from the disk", "none for 0.1 s"}));
    limits.silent_polls = 0;
    CHECK(number_of(slow, limits) == 6);
}

TEST_CASE("a wait that fails is an error and no endless loop") {
#ifdef __SANITIZE_ADDRESS__
    MESSAGE(
        "skipped: without descriptors the sanitizer cannot make the pipe that it looks through");
    return;
#endif
    ChildLimits limits;
    limits.cpu_seconds = 0.5;
    // In a child, whose limit of descriptors then makes poll() fail.
    CHECK(number_of(
              [](ChildChannel&) {
                  ChildProcess silent([](ChildChannel&) { pause(); }, {});
                  const rlimit none{0, 0};
                  setrlimit(RLIMIT_NOFILE, &none);
                  const std::string text = message_of([&] {
                      char byte = 0;
                      silent.receive(&byte, 1);
                  });
                  return has_all(text, {"expected to wait", "Invalid argument"}) ? 1 : 0;
              },
              limits) == 1);
}

TEST_CASE("a child that computes without progress ends, one that makes progress goes on") {
    ChildLimits limits;
    limits.cpu_seconds = 0.2;
    const auto spin = [](double seconds) {
        const auto spent = [] {
            rusage use{};
            getrusage(RUSAGE_SELF, &use);
            return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                   1e-6 * static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
        };
        for (const double begin = spent(); spent() - begin < seconds;) {
        }
    };
    CHECK(has_all(end_of([&](ChildChannel&) { spin(60); }, limits),
                  {"ran for 0.2 s without getting any further"}));
    CHECK(number_of(
              [&](ChildChannel& channel) {
                  for (int i = 0; i < 6; ++i) {
                      spin(0.05);
                      channel.note_progress();
                  }
                  return 5;
              },
              limits) == 5);
}

TEST_CASE("a child takes no more memory than it may") {
    ChildLimits limits;
    limits.memory = 1 << 26;
    const auto takes = [](std::size_t bytes) {
        // mmap: allocators of sanitizers abort where others return null.
        void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return p != MAP_FAILED;
    };
    CHECK(number_of([&](ChildChannel&) { return takes(1 << 24); }, limits) == 1);
    CHECK(number_of([&](ChildChannel&) { return takes(1 << 28); }, limits) == 0);
    CHECK(number_of(
              [&](ChildChannel& channel) {
                  channel.forbid_opening();  // must not keep it from raising the limit
                  channel.allow_memory(std::uint64_t{1} << 29);
                  return takes(1 << 28);
              },
              limits) == 1);
}

TEST_CASE("a child holds no descriptor of the parent and can be kept from opening any") {
    const int kept = open("/dev/null", O_RDONLY);
    REQUIRE(kept > 2);
    CHECK(number_of([&](ChildChannel&) { return fcntl(kept + 16, F_GETFD) < 0; }) == 1);
    CHECK(number_of([](ChildChannel&) {
              int open_ones = 0;
              for (int i = 0; i < 256; ++i) open_ones += fcntl(i, F_GETFD) >= 0;
              return open_ones;
          }) == 4);  // 0, 1, 2 and the pipe
    CHECK(number_of([](ChildChannel& channel) {
              channel.forbid_opening();
              return open("/dev/null", O_RDONLY);
          }) == -1);
    CHECK(number_of([](ChildChannel& channel) {
              channel.forbid_opening();
              rlimit limit{};
              getrlimit(RLIMIT_NOFILE, &limit);
              return static_cast<int>(limit.rlim_max);
          }) == 0);
    close(kept);
}

TEST_CASE("a child prints nowhere, dumps no core and leaves signals to the parent") {
    CHECK(number_of([](ChildChannel&) {
              struct stat out {};
              struct stat nowhere {};
              fstat(1, &out);
              stat("/dev/null", &nowhere);
              return out.st_rdev == nowhere.st_rdev;
          }) == 1);
    CHECK(number_of([](ChildChannel&) {
              rlimit limit{};
              getrlimit(RLIMIT_CORE, &limit);
              return static_cast<int>(limit.rlim_cur);
          }) == 0);
    const auto before = signal(SIGSEGV, SIG_IGN);
    CHECK(has_all(end_of([](ChildChannel&) { raise(SIGSEGV); }), {"SIGSEGV"}));
    signal(SIGSEGV, before);
    CHECK(number_of([](ChildChannel&) {
              raise(SIGINT);
              raise(SIGTERM);
              return 3;
          }) == 3);
}

TEST_CASE("the parent's handlers do not run in a child") {
    static const pid_t parent = getpid();
    std::atexit([] {
        if (getpid() != parent) _exit(77);
    });
    CHECK(has_all(end_of([](ChildChannel&) {}), {"exit status 0"}));
}

TEST_CASE("no child and no descriptor is left, whatever happens") {
    const std::ptrdiff_t before = open_descriptors();
    for (int i = 0; i < 5; ++i) {
        end_of([](ChildChannel&) { raise(SIGSEGV); });
        const ChildProcess abandoned([](ChildChannel&) { pause(); }, {});
        ChildProcess full(
            [](ChildChannel& channel) {
                const std::array<char, 4096> page{};
                for (;;) channel.send(page.data(), page.size(), nullptr, 0);
            },
            {});
        char byte = 0;
        full.receive(&byte, 1);
        full.end();
        full.end();  // a second time does nothing
    }
    CHECK(open_descriptors() == before);
    CHECK_FALSE(has_children());
}

TEST_CASE("a program that ignores its children learns their end all the same") {
    const auto before = signal(SIGCHLD, SIG_IGN);
    CHECK(has_all(end_of([](ChildChannel&) { raise(SIGSEGV); }), {"the HDF5 library vanished"}));
    CHECK(number_of([](ChildChannel&) { return 4; }) == 4);
    signal(SIGCHLD, before);
}

TEST_CASE("a process that has a child's number after it is not ended in its place") {
    const auto before = signal(SIGCHLD, SIG_IGN);  // so that the number is free at once
    bool had_number = false, alive = false;
    for (int i = 0; i < 200 && !had_number; ++i) {  // others take numbers too
        pid_t number = 0;
        ChildProcess child(
            [](ChildChannel& channel) {
                const pid_t own = getpid();
                channel.send(&own, sizeof own, nullptr, 0);
            },
            {});
        child.receive(&number, sizeof number);
        while (kill(number, 0) == 0) usleep(1000);
        std::ofstream("/proc/sys/kernel/ns_last_pid") << number - 1 << std::flush;
        const pid_t other = fork();
        if (other == 0) {
            pause();
            _exit(0);
        }
        had_number = other == number;
        if (had_number) {
            child.end();
            usleep(20000);
            alive = kill(other, 0) == 0;
        }
        kill(other, SIGKILL);
        waitpid(other, nullptr, 0);
    }
    signal(SIGCHLD, before);
    if (had_number) {
        CHECK(alive);
    } else {
        MESSAGE("skipped: this system does not let the test choose a process's number");
    }
}

TEST_CASE("no processes left to start is an error") {
    enum { refused, wrong_text, not_bound };
    // In a child, so that nothing else runs into the limit, and not as root, whom it does not bind.
    const int result = number_of([](ChildChannel&) -> int {
        constexpr uid_t kNobody = 65534;
        if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) return not_bound;
        const rlimit none{0, 0};
        setrlimit(RLIMIT_NPROC, &none);
        if (const pid_t child = fork(); child >= 0) {
            if (child == 0) _exit(0);
            return not_bound;
        }
        const std::string text =
            message_of([] { const ChildProcess child([](ChildChannel&) {}, {}); });
        return has_all(text, {"a process of its own", "temporarily unavailable"}) ? refused
                                                                                  : wrong_text;
    });
    if (result == not_bound) {
        MESSAGE("skipped: this system does not limit the number of processes");
    } else {
        CHECK(result == refused);
    }
}

}  // namespace drydock::data
