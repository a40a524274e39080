// The JSON scanner against another implementation: a text that is one string or one number is
// accepted by both or by neither, with the same value. Arbitrary sequences of tokens must end.
#include "base/json.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz.h"

namespace drydock::fuzz {
namespace {

std::string decode(std::string_view raw) {
    std::string decoded(raw.size(), '\0');
    decoded.resize(decode_json_string(raw, decoded));
    return decoded;
}

void check_string(std::string_view text, const nlohmann::json& other) {
    JsonScanner scanner(text);
    std::string_view raw;
    const bool taken = scanner.string(raw) && scanner.at_end();
    expect(taken == other.is_string(), "a string is a string to both");
    if (!taken) return;
    const std::string decoded = decode(raw);
    expect(decoded == other.get<std::string>(), "a string decodes alike");
    expect(compare_json_strings(raw, raw) == 0, "a string equals itself");
    const int order = compare_json_strings({}, raw);
    expect(decoded.empty() ? order == 0 : order < 0, "the empty string comes first");
}

// A natural is digits alone. The other reader turns what does not fit 64 bits into a float.
void check_natural(std::string_view text, const nlohmann::json& other) {
    JsonScanner scanner(text);
    std::uint64_t value = 0;
    const bool taken = scanner.natural(value) && scanner.at_end();
    expect(taken == other.is_number_unsigned(), "a natural is one to both");
    if (taken) expect(value == other.get<std::uint64_t>(), "a natural has the same value");
}

void scan(std::string_view text) {
    JsonScanner scanner(text);
    std::string_view last;
    while (!scanner.at_end()) {
        const std::size_t before = scanner.position();
        std::string_view raw;
        std::uint64_t value = 0;
        bool taken = false;
        for (const char c : {'{', '}', '[', ']', ':', ','}) taken = taken || scanner.take(c);
        taken = taken || scanner.natural(value);
        if (!taken && scanner.string(raw)) {
            taken = true;
            const int order = compare_json_strings(last, raw);
            const int by_bytes = decode(last).compare(decode(raw));
            expect((order < 0) == (by_bytes < 0) && (order == 0) == (by_bytes == 0),
                   "strings compare by their decoded bytes");
            last = raw;
        }
        expect(scanner.position() <= text.size(), "the scanner stays within the text");
        if (!taken) return;
        expect(scanner.position() > before, "a token takes bytes");
    }
}

}  // namespace

void run(Bytes input) {
    const std::string_view text = text_of(input);
    expect(utf8_error(text) <= text.size(), "utf8_error points into the text");
    scan(text);
    // The scanner leaves UTF-8 to its callers. The other reader skips the mark that some files
    // begin with, and takes a zero for the end of the text.
    const bool alike = utf8_error(text) == text.size() && !text.starts_with("\xef\xbb\xbf") &&
                       text.find('\0') == std::string_view::npos;
    if (!alike) return;
    const auto other = nlohmann::json::parse(text, nullptr, false);
    check_string(text, other);
    check_natural(text, other);
}

}  // namespace drydock::fuzz
