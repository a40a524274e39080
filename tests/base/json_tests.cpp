#include "base/json.h"

#include <doctest/doctest.h>
#include <string>

using namespace drydock;

namespace {

// The decoded string, or "refused".
std::string decoded(const std::string& json) {
    JsonScanner scanner(json);
    std::string_view raw;
    if (!scanner.string(raw) || !scanner.at_end()) {
        return "refused";
    }
    std::string out(decode_json_string(raw, {}), '?');
    decode_json_string(raw, out);
    return out;
}

bool reads_natural(const std::string& json, std::uint64_t expected) {
    JsonScanner scanner(json);
    std::uint64_t value = 0;
    return scanner.natural(value) && scanner.at_end() && value == expected;
}

}  // namespace

TEST_CASE("JSON strings are decoded") {
    CHECK(decoded(R"("plain")") == "plain");
    CHECK(decoded(R"(  "" )") == "");
    CHECK(decoded(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
    CHECK(decoded(R"("\u0041\u00e9\u20AC")") == "A\xc3\xa9\xe2\x82\xac");
    CHECK(decoded(R"("\ud83d\ude00!")") == "\xf0\x9f\x98\x80!");
}

TEST_CASE("malformed JSON strings are refused") {
    for (const char* bad :
         {R"("open)", R"("\")", R"("\x")", R"("\u12")", R"("\u12g4")", R"("\ud83d")",
          R"("\ud83dx")", R"("\ud83d\u0041")", R"("\ude00")", "\"a\nb\"", "x", ""}) {
        CAPTURE(bad);
        CHECK(decoded(bad) == "refused");
    }
}

TEST_CASE("decoding into too little room says how much is needed") {
    char two[2];
    CHECK(decode_json_string(R"(a\u20ac)", two) == 4);
    CHECK(two[0] == 'a');
}

TEST_CASE("escaped and plain spellings compare equal") {
    CHECK(compare_json_strings(R"(\u0061b)", "ab") == 0);
    CHECK(compare_json_strings("\xc3\xa9", R"(\u00e9)") == 0);
    CHECK(compare_json_strings("a", "ab") < 0);
    CHECK(compare_json_strings("b", R"(\u0061)") > 0);
    CHECK(compare_json_strings("", "") == 0);
}

TEST_CASE("naturals are read exactly or refused") {
    CHECK(reads_natural("0", 0));
    CHECK(reads_natural(" 18446744073709551615 ", UINT64_MAX));
    for (const char* bad : {"18446744073709551616", "01", "-1", "1.0", "1e3", "", "+1", "x"}) {
        CAPTURE(bad);
        CHECK_FALSE((reads_natural(bad, 1) || reads_natural(bad, 0) || reads_natural(bad, 1000)));
    }
}

TEST_CASE("UTF-8 errors are found where they are") {
    CHECK(utf8_error("abc") == 3);
    CHECK(utf8_error("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") == 9);
    CHECK(utf8_error("\xf4\x8f\xbf\xbf") == 4);
    for (const char* bad :
         {"a\x80", "a\xc0\xaf", "a\xe0\x80\xaf", "a\xed\xa0\x80", "a\xf4\x90\x80\x80",
          "a\xf0\x80\x80\xaf", "a\xc3", "a\xe2\x82", "a\xff", "a\xe2\x28\xa1"}) {
        CHECK(utf8_error(bad) == 1);
    }
}
