// Ctrl-C as a request: work that can end early with something to show looks at a flag.
#pragma once

#include <atomic>

namespace drydock::apps {

// From here on the first SIGINT or SIGTERM prints `text` on standard error and sets the flag, which
// is returned; the second one kills. `text` must live as long as the program.
const std::atomic<bool>& catch_interrupts(const char* text);

// The exit status of work that ended early for the signal that came first, as shells count:
// 130 after SIGINT, 143 after SIGTERM.
int interrupted_status();

}  // namespace drydock::apps
