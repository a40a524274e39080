#include "base/json.h"

namespace drydock {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr bool is_high_surrogate(unsigned code) { return code >= 0xd800 && code < 0xdc00; }
constexpr bool is_low_surrogate(unsigned code) { return code >= 0xdc00 && code < 0xe000; }

std::size_t encode_utf8(unsigned code, char bytes[4]) {
    const auto tail = [code](int shift) {
        return static_cast<char>(0x80 | (code >> shift & 0x3f));
    };
    if (code < 0x80) {
        bytes[0] = static_cast<char>(code);
        return 1;
    }
    if (code < 0x800) {
        bytes[0] = static_cast<char>(0xc0 | code >> 6);
        bytes[1] = tail(0);
        return 2;
    }
    if (code < 0x10000) {
        bytes[0] = static_cast<char>(0xe0 | code >> 12);
        bytes[1] = tail(6);
        bytes[2] = tail(0);
        return 3;
    }
    bytes[0] = static_cast<char>(0xf0 | code >> 18);
    bytes[1] = tail(12);
    bytes[2] = tail(6);
    bytes[3] = tail(0);
    return 4;
}

// Four hexadecimal digits at `position`, or -1.
int read_hex4(std::string_view text, std::size_t position) {
    if (text.size() - position < 4) {
        return -1;
    }
    int code = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const int digit = hex_value(text[position + i]);
        if (digit < 0) {
            return -1;
        }
        code = code * 16 + digit;
    }
    return code;
}

}  // namespace

void JsonScanner::skip_space() {
    while (position_ < text_.size()) {
        const char c = text_[position_];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return;
        }
        ++position_;
    }
}

bool JsonScanner::at_end() {
    skip_space();
    return position_ == text_.size();
}

bool JsonScanner::take(char c) {
    skip_space();
    if (position_ == text_.size() || text_[position_] != c) {
        return false;
    }
    ++position_;
    return true;
}

// At the byte after a backslash. A surrogate is valid only as one half of a pair.
bool JsonScanner::escape() {
    if (position_ == text_.size()) {
        return false;
    }
    const char c = text_[position_];
    if (c != 'u') {
        const bool known = c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' ||
                           c == 'r' || c == 't';
        position_ += known ? 1 : 0;
        return known;
    }
    const int code = read_hex4(text_, position_ + 1);
    if (code < 0 || is_low_surrogate(static_cast<unsigned>(code))) {
        return false;
    }
    if (!is_high_surrogate(static_cast<unsigned>(code))) {
        position_ += 5;
        return true;
    }
    if (text_.size() - position_ < 11 || text_[position_ + 5] != '\\' ||
        text_[position_ + 6] != 'u') {
        return false;
    }
    const int low = read_hex4(text_, position_ + 7);
    if (low < 0 || !is_low_surrogate(static_cast<unsigned>(low))) {
        return false;
    }
    position_ += 11;
    return true;
}

bool JsonScanner::string(std::string_view& raw) {
    if (!take('"')) {
        return false;
    }
    const std::size_t first = position_;
    while (position_ < text_.size()) {
        const char c = text_[position_];
        if (c == '"') {
            raw = {text_.data() + first, position_ - first};
            ++position_;
            return true;
        }
        if (static_cast<unsigned char>(c) < 0x20) {
            return false;
        }
        ++position_;
        if (c == '\\' && !escape()) {
            return false;
        }
    }
    return false;
}

bool JsonScanner::natural(std::uint64_t& value) {
    skip_space();
    const std::size_t first = position_;
    std::uint64_t v = 0;
    while (position_ < text_.size() && is_digit(text_[position_])) {
        const auto digit = static_cast<std::uint64_t>(text_[position_] - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
        ++position_;
    }
    const std::size_t digits = position_ - first;
    if (digits == 0 || (digits > 1 && text_[first] == '0')) {
        position_ = first;
        return false;
    }
    value = v;
    return true;
}

unsigned JsonDecoder::hex4() {
    const int code = read_hex4(raw_, position_);
    position_ += 4;
    return static_cast<unsigned>(code);
}

std::size_t JsonDecoder::next(char bytes[4]) {
    if (position_ == raw_.size()) {
        return 0;
    }
    bytes[0] = raw_[position_++];
    if (bytes[0] != '\\') {
        return 1;
    }
    const char c = raw_[position_++];
    switch (c) {
        case 'b':
            bytes[0] = '\b';
            return 1;
        case 'f':
            bytes[0] = '\f';
            return 1;
        case 'n':
            bytes[0] = '\n';
            return 1;
        case 'r':
            bytes[0] = '\r';
            return 1;
        case 't':
            bytes[0] = '\t';
            return 1;
        case 'u':
            break;
        default:
            bytes[0] = c;
            return 1;
    }
    unsigned code = hex4();
    if (is_high_surrogate(code)) {
        position_ += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4() - 0xdc00);
    }
    return encode_utf8(code, bytes);
}

std::size_t decode_json_string(std::string_view raw, std::span<char> out) {
    JsonDecoder decoder(raw);
    char bytes[4];
    std::size_t size = 0;
    while (const std::size_t n = decoder.next(bytes)) {
        for (std::size_t i = 0; i < n; ++i, ++size) {
            if (size < out.size()) {
                out[size] = bytes[i];
            }
        }
    }
    return size;
}

int compare_json_strings(std::string_view a, std::string_view b) {
    // One byte at a time, because an escape in one may be several plain bytes in the other.
    struct Bytes {
        JsonDecoder decoder;
        char piece[4];
        std::size_t used = 0, size = 0;
        int next() {
            if (used == size) {
                size = decoder.next(piece);
                used = 0;
            }
            return size == 0 ? -1 : static_cast<unsigned char>(piece[used++]);
        }
    };
    Bytes left{JsonDecoder(a), {}}, right{JsonDecoder(b), {}};
    for (;;) {
        const int x = left.next(), y = right.next();
        if (x != y) {
            return x - y;
        }
        if (x < 0) {
            return 0;
        }
    }
}

std::size_t utf8_error(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        // Table 3-7 of the Unicode standard: only the second byte's range depends on the first.
        const std::size_t length = lead < 0xc2   ? 0
                                   : lead < 0xe0 ? 2
                                   : lead < 0xf0 ? 3
                                   : lead < 0xf5 ? 4
                                                 : 0;
        if (length == 0 || text.size() - i < length) {
            return i;
        }
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        const auto second = static_cast<unsigned char>(text[i + 1]);
        if (second < low || second > high) {
            return i;
        }
        for (std::size_t k = 2; k < length; ++k) {
            if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) {
                return i;
            }
        }
        i += length;
    }
    return i;
}

}  // namespace drydock
