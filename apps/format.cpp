#include "apps/format.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace drydock::apps {
namespace {

constexpr int kPageWidth = 100;

bool colours() {
    static const bool wanted = [] {
        const char* no_color = std::getenv("NO_COLOR");
        const char* terminal = std::getenv("TERM");
        const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
        return on_terminal() && (no_color == nullptr || *no_color == '\0') && !dumb;
    }();
    return wanted;
}

const char* code_of(Tone tone) {
    switch (tone) {
        case Tone::plain:
            return "";
        case Tone::strong:
            return "\033[1m";
        case Tone::quiet:
            return "\033[2m";
        case Tone::good:
            return "\033[32m";
        case Tone::bad:
            return "\033[1;31m";
        case Tone::attention:
            return "\033[33m";
    }
    return "";
}

std::string padded(const Cell& cell, int width, bool right) {
    const std::string blanks(static_cast<std::size_t>(std::max(0, width - width_of(cell.text))),
                             ' ');
    return right ? blanks + paint(cell.text, cell.tone) : paint(cell.text, cell.tone) + blanks;
}

void print_marked(std::string_view mark, Tone tone, std::string_view text) {
    const int indent = width_of(mark) + 4;
    fmt::print("  {}  {}\n", paint(mark, tone),
               wrap(text, std::min(kPageWidth, terminal_width()) - indent, indent));
}

}  // namespace

bool on_terminal() {
    static const bool terminal = isatty(STDOUT_FILENO) == 1;
    return terminal;
}

int terminal_width() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return on_terminal() ? 80 : kPageWidth;
}

std::string paint(std::string_view text, Tone tone) {
    if (tone == Tone::plain || !colours()) return std::string(text);
    return fmt::format("{}{}\033[0m", code_of(tone), text);
}

int width_of(std::string_view text) {
    return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

std::string grouped(std::int64_t value) {
    std::string digits = std::to_string(value);
    const std::ptrdiff_t first = value < 0 ? 1 : 0;
    for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > first; i -= 3) {
        digits.insert(static_cast<std::size_t>(i), 1, ',');
    }
    return digits;
}

std::string number(double value) {
    const double size = std::fabs(value);
    if (size >= 1e4 && size < 1e9) return fmt::format("{:.0f}", value);
    return fmt::format("{:.5g}", value);
}

std::string percent(double share) {
    if (share > 0 && share < 0.0005) return "< 0.1 %";
    return fmt::format("{:.1f} %", 100 * share);
}

std::string byte_size(std::uint64_t bytes) {
    constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return fmt::format("{} bytes", bytes);
    double size = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; size >= 1024 && unit < 3; ++unit) size /= 1024;
    return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string duration(double seconds) {
    if (!std::isfinite(seconds)) return "?";
    if (seconds < 10) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
    return shape.empty() ? "one value" : fmt::format("{}", fmt::join(shape, " x "));
}

std::string wrap(std::string_view text, int width, int indent) {
    std::string out;
    int used = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const int length = width_of(word);
        if (used > 0 && used + 1 + length > width) {
            out += '\n';
            out.append(static_cast<std::size_t>(indent), ' ');
            used = 0;
        } else if (used > 0) {
            out += ' ';
            ++used;
        }
        out += word;
        used += length;
    }
    return out;
}

void print_heading(std::string_view text) { fmt::print("\n{}\n", paint(text, Tone::strong)); }

void print_facts(const Facts& facts) {
    int widest = 0;
    for (const auto& [key, value] : facts) widest = std::max(widest, width_of(key));
    for (const auto& [key, value] : facts) {
        fmt::print("  {}  {}\n", padded({key, Tone::quiet}, widest, false),
                   wrap(value, std::min(kPageWidth, terminal_width()) - widest - 4, widest + 4));
    }
}

void print_notice(std::string_view text) { print_marked("note", Tone::quiet, text); }
void print_warning(std::string_view text) { print_marked("warning", Tone::attention, text); }

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
    for (std::string& heading : headings_) {
        right_.push_back(!heading.empty() && heading.front() == '>');
        if (right_.back()) heading.erase(0, 1);
    }
}

void Table::add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

void Table::print() const {
    std::vector<int> widths;
    for (const std::string& heading : headings_) widths.push_back(width_of(heading));
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(row[i].text));
        }
    }
    const auto print_row = [&](const std::vector<Cell>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line.append(2, ' ').append(padded(row[i], widths[i], right_[i]));
        }
        line.erase(line.find_last_not_of(' ') + 1);
        fmt::print("{}\n", line);
    };
    std::vector<Cell> top;
    for (const std::string& heading : headings_) top.emplace_back(heading, Tone::quiet);
    print_row(top);
    for (const auto& row : rows_) print_row(row);
}

}  // namespace drydock::apps
