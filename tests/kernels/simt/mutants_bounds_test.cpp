// Mutants that leave their memory. The sanitizers stop the program and name the line; without them
// the emulator sees writes past the end of an allocation, but no reads.
#include "tests/kernels/simt/harness.h"
#include "tests/kernels/simt/mutants/mutants.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace drydock::kernels::simt::mutants {
namespace {

#if defined(__SANITIZE_ADDRESS__)

// What a child process that calls run() says on its error output; empty if it ended well.
template <class Run>
std::string last_words(Run&& run) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        run();
        _exit(0);
    }
    close(ends[1]);
    std::string words;
    char buffer[4096];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
        words.append(buffer, static_cast<std::size_t>(n));
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? std::string() : words;
}

TEST_CASE("the address sanitizer names the line of a missing tail guard") {
    const auto scale = [](int in, int out) {
        return last_words([=] {
            DeviceArray<float> x(static_cast<std::size_t>(in)), y(static_cast<std::size_t>(out));
            scale_without_tail_guard(x.data(), y.data(), 21);
        });
    };
    CHECK(scale(24, 24).empty());
    const std::string read = scale(21, 24);
    CHECK(contains(read, "heap-buffer-overflow"));
    CHECK(contains(read, "READ of size 4"));
    CHECK(contains(read, "no_tail_guard.cu"));
    CHECK(contains(scale(24, 21), "WRITE of size 4"));
}

TEST_CASE("the address sanitizer sees an index past an array in shared memory") {
    const std::string words = last_words([] {
        DeviceArray<float> in(32), out(32);
        copy_past_shared_array(in.data(), out.data());
    });
    CHECK(contains(words, "use-after-poison"));
    CHECK(contains(words, "WRITE of size 4"));
    CHECK(contains(words, "shared_overrun.cu"));
}

TEST_CASE("the undefined-behaviour sanitizer sees a misaligned load of 16 bytes") {
    const auto copy = [](std::size_t skew) {
        return last_words([=] {
            DeviceArray<float> in(12), out(8);
            copy_without_alignment_check(in.data() + skew, out.data());
        });
    };
    CHECK(copy(0).empty());
    CHECK(copy(4).empty());
    CHECK(contains(copy(1), "misaligned address"));
}

#else

TEST_CASE("a write past the end of an allocation is reported") {
    DeviceArray<float> in(random_values(24, 1)), fits(24), out(21);
    scale_without_tail_guard(in.data(), fits.data(), 21);
    check_no_reports();
    scale_without_tail_guard(in.data(), out.data(), 21);
    const auto reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].finding == Finding::overrun);
    CHECK(contains(reports[0].text, "84 bytes was written"));
}

#endif

}  // namespace
}  // namespace drydock::kernels::simt::mutants
