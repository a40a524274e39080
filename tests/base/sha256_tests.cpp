#include "base/sha256.h"

#include <doctest/doctest.h>
#include <string>

using drydock::Sha256;

namespace {

std::string digest(const std::string& message) {
    Sha256 sha;
    sha.update(message.data(), message.size());
    char text[Sha256::kHexLength + 1];
    sha.finish_hex(text);
    return text;
}

}  // namespace

TEST_CASE("SHA-256 gives the known answers of FIPS 180-4") {
    CHECK(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(digest(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("the digest does not depend on how the message is cut") {
    std::string message;
    for (int i = 0; i < 300; ++i) {
        message.push_back(static_cast<char>(i * 7));
    }
    // Lengths around the padding's boundaries, and every cut of each.
    for (const std::size_t length : {55u, 56u, 63u, 64u, 65u, 119u, 120u, 128u, 300u}) {
        const std::string whole = digest(message.substr(0, length));
        for (std::size_t cut = 0; cut <= length; ++cut) {
            Sha256 sha;
            sha.update(message.data(), cut);
            sha.update(message.data() + cut, length - cut);
            char text[Sha256::kHexLength + 1];
            sha.finish_hex(text);
            REQUIRE(text == whole);
        }
    }
}

TEST_CASE("an object is as new after its digest") {
    Sha256 sha;
    sha.update("xyz", 3);
    unsigned char bytes[Sha256::kBytes];
    sha.finish(bytes);
    sha.update("abc", 3);
    char text[Sha256::kHexLength + 1];
    sha.finish_hex(text);
    CHECK(text == digest("abc"));
}
