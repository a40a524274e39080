#include "apps/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

namespace drydock::apps {
namespace {

std::atomic<bool> stop_requested{false};
std::atomic<const char*> stop_text{""};

// The handler is taken back by the first signal: the second one kills.
void on_interrupt(int) {
    const char* const text = stop_text;
    stop_requested = true;
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
}

}  // namespace

const std::atomic<bool>& catch_interrupts(const char* text) {
    stop_text = text;
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return stop_requested;
}

}  // namespace drydock::apps
