#include "apps/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/format.h"

namespace drydock::apps {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
// A plain line after a twentieth of the work, or after a minute where that is longer.
constexpr std::int64_t kPlainParts = 20;
constexpr auto kPlainSoonest = std::chrono::seconds(2);
constexpr auto kPlainLatest = std::chrono::seconds(60);
constexpr std::int64_t kBarWidth = 24;

std::string rate_text(double rate) {
    return rate < 10 ? fmt::format("{:.1f}", rate) : grouped(std::llround(rate));
}

// The first `width` columns of UTF-8 text.
std::string cut(const std::string& text, int width) {
    std::size_t end = 0;
    for (int used = 0; end < text.size(); ++end) {
        if ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) continue;
        if (used++ == width) break;
    }
    return text.substr(0, end);
}

}  // namespace

ProgressLine::ProgressLine(std::int64_t total, std::string unit)
    : total_(std::max<std::int64_t>(total, 1)), unit_(std::move(unit)), last_time_(Clock::now()) {}

ProgressLine::~ProgressLine() { erase(); }

void ProgressLine::update(std::int64_t done, double rate, double left, const std::string& detail) {
    const auto since = Clock::now() - last_time_;
    if (on_terminal()) {
        if (since < kRedraw && done < total_ && !drawn_.empty()) return;
        redraw(done, rate, left, detail);
    } else {
        const bool moved = (done - last_done_) * kPlainParts >= total_ && since >= kPlainSoonest;
        if (!moved && since < kPlainLatest) return;
        print_plain(done, rate, left, detail);
    }
    last_time_ = Clock::now();
    last_done_ = done;
}

void ProgressLine::print_line(const std::string& text) {
    const std::string line = drawn_;
    erase();
    fmt::print("{}\n{}", text, line);
    drawn_ = line;
    std::fflush(stdout);
}

void ProgressLine::redraw(std::int64_t done, double rate, double left, const std::string& detail) {
    const std::int64_t filled = std::clamp<std::int64_t>(done * kBarWidth / total_, 0, kBarWidth);
    const std::string bar = std::string(static_cast<std::size_t>(filled), '=') +
                            std::string(static_cast<std::size_t>(kBarWidth - filled), '.');
    const std::string line =
        fmt::format("[{}] {:3}%  {}/{}  {}/s  {} left{}", bar, 100 * done / total_, grouped(done),
                    grouped(total_), rate_text(rate), duration(left), detail);
    erase();
    drawn_ = cut(line, terminal_width() - 1);
    fmt::print("{}", drawn_);
    std::fflush(stdout);
}

void ProgressLine::print_plain(std::int64_t done, double rate, double left,
                               const std::string& detail) {
    fmt::print("  {:>3} %  {} of {} {}  {}/s  {} left{}\n", 100 * done / total_, grouped(done),
               grouped(total_), unit_, rate_text(rate), duration(left), detail);
    std::fflush(stdout);
}

void ProgressLine::erase() {
    if (drawn_.empty()) return;
    fmt::print("\r\033[K");
    std::fflush(stdout);
    drawn_.clear();
}

}  // namespace drydock::apps
