// How far a long piece of work is: one line that redraws itself on a terminal, a plain line now and
// then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace drydock::apps {

class ProgressLine {
  public:
    // `unit` is what is counted, in the plural: "updates".
    ProgressLine(std::int64_t total, std::string unit);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    // `rate` is in units per second, `left` the seconds that remain; `detail` is added as it is.
    void update(std::int64_t done, double rate, double left, const std::string& detail);
    // Prints a line of its own; the redrawn line stays below it.
    void print_line(const std::string& text);
    // Takes the redrawn line away, before anything else prints.
    void finish() { erase(); }

  private:
    using Clock = std::chrono::steady_clock;
    void redraw(std::int64_t done, double rate, double left, const std::string& detail);
    void print_plain(std::int64_t done, double rate, double left, const std::string& detail);
    void erase();

    std::int64_t total_;
    std::string unit_;
    std::string drawn_;
    std::int64_t last_done_ = 0;
    Clock::time_point last_time_;
};

}  // namespace drydock::apps
