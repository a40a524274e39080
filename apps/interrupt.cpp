#include "apps/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace drydock::apps {
namespace {

std::atomic<bool> stop_requested{false};
std::atomic<const char*> stop_text{""};
std::atomic<int> stop_signal{SIGINT};

// The first signal takes the handler back from both: the second one kills.
void on_interrupt(int signal) {
    const int error = errno;
    const char* const text = stop_text;
    stop_signal = signal;
    stop_requested = true;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
    errno = error;
}

}  // namespace

const std::atomic<bool>& catch_interrupts(const char* text) {
    stop_text = text;
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;
    // Also where it was ignored: a shell does that to what it starts in the background.
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return stop_requested;
}

int interrupted_status() { return 128 + stop_signal; }

}  // namespace drydock::apps
