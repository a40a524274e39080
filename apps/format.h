// How the command's pages look: colours where a person watches, numbers, tables, lists of facts.
// Everything here writes to standard output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drydock::apps {

// True when standard output is a terminal.
bool on_terminal();

// Columns of the terminal, 80 where it does not tell.
int terminal_width();

enum class Tone { plain, strong, quiet, good, bad, attention };

// `text` in the tone's colour; unchanged when nobody watches or NO_COLOR is set.
std::string paint(std::string_view text, Tone tone);

// How many columns the terminal gives UTF-8 text without colours.
int width_of(std::string_view text);

std::string grouped(std::int64_t value);     // 1,000,000
std::string number(double value);            // five significant digits, no exponent near 1
std::string percent(double share);           // 0.125 is 12.5 %
std::string byte_size(std::uint64_t bytes);  // 1.4 MiB
std::string duration(double seconds);        // 8 s, 3:05, 2:03:05
std::string shape_text(const std::vector<std::int64_t>& shape);  // 1000 x 3, or "one value"

// Breaks at spaces so that no line is longer than `width`; the lines after the first are indented.
std::string wrap(std::string_view text, int width, int indent);

// "Heading" on a line of its own, with a blank line above it.
void print_heading(std::string_view text);

// Lines of a key and a value, the values below each other.
using Facts = std::vector<std::pair<std::string, std::string>>;
void print_facts(const Facts& facts);

// A sentence that the reader should know, wrapped: "  note  ...".
void print_notice(std::string_view text);
void print_warning(std::string_view text);

struct Cell {
    Cell(std::string t, Tone its_tone = Tone::plain) : text(std::move(t)), tone(its_tone) {}
    Cell(const char* t, Tone its_tone = Tone::plain) : text(t), tone(its_tone) {}
    std::string text;
    Tone tone;
};

// Columns as wide as their widest cell. A heading that starts with '>' is set to the right, and so
// are the cells below it.
class Table {
  public:
    explicit Table(std::vector<std::string> headings);
    void add(std::vector<Cell> row);
    bool empty() const { return rows_.empty(); }
    void print() const;

  private:
    std::vector<std::string> headings_;
    std::vector<bool> right_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace drydock::apps
