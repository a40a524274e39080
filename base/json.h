// A strict scanner of JSON text (RFC 8259) in the caller's memory, for readers that know which
// members they expect. It allocates nothing and never reads outside the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace drydock {

// Stands before the next token. Every function skips white space first; one that answers false has
// left `position` at the offending byte.
class JsonScanner {
  public:
    explicit JsonScanner(std::string_view text) : text_(text) {}

    std::size_t position() const { return position_; }

    // True when only white space is left.
    bool at_end();

    // Takes the punctuation `c` if it is next.
    bool take(char c);

    // Takes a string; `raw` is what stands between its quotes, with escapes known to be valid.
    bool string(std::string_view& raw);

    // Takes an integer without sign, fraction, exponent or leading zeros, below 2^64.
    bool natural(std::uint64_t& value);

  private:
    void skip_space();
    bool escape();

    std::string_view text_;
    std::size_t position_ = 0;
};

// Decodes a raw string of JsonScanner piece by piece: each call gives one code point as UTF-8.
// Characters that stand unescaped in the text are passed on byte by byte.
class JsonDecoder {
  public:
    explicit JsonDecoder(std::string_view raw) : raw_(raw) {}

    // The next 1 to 4 bytes, or 0 at the end.
    std::size_t next(char bytes[4]);

  private:
    unsigned hex4();

    std::string_view raw_;
    std::size_t position_ = 0;
};

// Writes at most out.size() bytes of the decoded string and returns how many it has altogether.
std::size_t decode_json_string(std::string_view raw, std::span<char> out);

// Compares two raw strings by their decoded bytes: below, at or above 0.
int compare_json_strings(std::string_view a, std::string_view b);

// Offset of the first byte that is not part of well-formed UTF-8 (no overlong forms, no surrogates,
// nothing above U+10FFFF), or text.size().
std::size_t utf8_error(std::string_view text);

}  // namespace drydock
