#include "base/safetensors.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace drydock;
using Status = SafetensorsStatus;

namespace {

std::string with_length(std::uint64_t length, const std::string& rest) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) {
        bytes.push_back(static_cast<char>(length >> (8 * i)));
    }
    return bytes + rest;
}

// A file of this header and `data` bytes of data.
std::string file_of(const std::string& header, std::size_t data) {
    return with_length(header.size(), header + std::string(data, '\1'));
}

const char* const kValid = R"({"__metadata__":{"format":"x","n\u006fte":"l\"1"},)"
                           R"("b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                           R"("a":{"data_offsets":[24,32],"shape":[],"dtype":"I64"},)"
                           R"("empty":{"dtype":"U8","shape":[0,4],"data_offsets":[32,32]}}  )";

struct Reading {
    SafetensorsTensor tensors[8];
    SafetensorsMetadata metadata[8];
    SafetensorsFile file;

    // Reads a copy on the heap of exactly the file's size, so that a sanitizer sees every overrun.
    explicit Reading(const std::string& text)
        : bytes(new unsigned char[text.size()]), size(text.size()) {
        std::memcpy(bytes.get(), text.data(), text.size());
        file = read_safetensors({bytes.get(), size}, tensors, metadata);
    }

    std::unique_ptr<unsigned char[]> bytes;
    std::size_t size;
};

Status status_of(const std::string& text) { return Reading(text).file.status; }

// The status of one tensor's entry in an otherwise good file.
Status entry(const std::string& json, std::size_t data) {
    return status_of(file_of("{\"t\":" + json + "}", data));
}

}  // namespace

TEST_CASE("a valid file is read") {
    const Reading r(file_of(kValid, 32));
    REQUIRE(r.file.status == Status::ok);
    REQUIRE(r.file.tensors.size() == 3);
    const SafetensorsTensor* b = r.file.find("b");
    REQUIRE(b != nullptr);
    CHECK(b->dtype == SafetensorsDType::f32);
    CHECK(b->rank == 2);
    CHECK(b->shape[1] == 3);
    CHECK(r.file.data_of(*b) == r.file.data.data());
    CHECK(r.file.find("a")->begin == 24);
    CHECK(r.file.find("a")->rank == 0);
    CHECK(r.file.find("empty")->end == 32);
    CHECK(r.file.find("c") == nullptr);
    CHECK(r.file.find("") == nullptr);
    REQUIRE(r.file.find_metadata("note") != nullptr);
    CHECK(r.file.find_metadata("note")->is("l\"1"));
    CHECK(r.file.find_metadata("format")->is("x"));
    CHECK(r.file.find_metadata("b") == nullptr);
}

TEST_CASE("an empty header is a file without tensors") {
    CHECK(status_of(file_of("{}", 0)) == Status::ok);
    CHECK(status_of(file_of("{}", 1)) == Status::data_size_mismatch);
}

TEST_CASE("files that end too early are refused") {
    CHECK(status_of("") == Status::too_short);
    CHECK(status_of("1234567") == Status::too_short);
    CHECK(status_of(with_length(0, "")) == Status::bad_json);
    CHECK(status_of(with_length(3, "{}")) == Status::header_truncated);
    CHECK(status_of(with_length(100'000'001, "{}")) == Status::header_too_long);
    CHECK(status_of(with_length(UINT64_MAX, "{}")) == Status::header_too_long);
}

TEST_CASE("headers that are not JSON or not UTF-8 are refused") {
    CHECK(status_of(file_of(" {}", 0)) == Status::bad_json);
    CHECK(status_of(file_of("{}\n", 0)) == Status::bad_json);
    CHECK(status_of(file_of("{}x", 0)) == Status::bad_json);
    CHECK(status_of(file_of("{", 0)) == Status::bad_json);
    CHECK(status_of(file_of("[]", 0)) == Status::bad_json);
    CHECK(status_of(file_of("{\"t\":1}", 0)) == Status::bad_json);
    CHECK(status_of(file_of("{,}", 0)) == Status::bad_json);
    CHECK(status_of(file_of("{\"__metadata__\":{\"a\":\"\xff\"}}", 0)) == Status::bad_utf8);
    CHECK(Reading(file_of("{\"__metadata__\":{\"a\":\"\xff\"}}", 0)).file.problem_offset == 8 + 22);
}

TEST_CASE("metadata must be a map of strings") {
    CHECK(status_of(file_of(R"({"__metadata__":{}})", 0)) == Status::ok);
    CHECK(status_of(file_of(R"({"__metadata__":{"a":1}})", 0)) == Status::bad_metadata);
    CHECK(status_of(file_of(R"({"__metadata__":{"a":{}}})", 0)) == Status::bad_metadata);
    CHECK(status_of(file_of(R"({"__metadata__":"a"})", 0)) == Status::bad_metadata);
    CHECK(status_of(file_of(R"({"__metadata__":{"a":"b",}})", 0)) == Status::bad_metadata);
}

TEST_CASE("names must not occur twice, however they are spelt") {
    const std::string t = R"(:{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
    CHECK(status_of(file_of("{\"a\"" + t + ",\"b\"" + t + "}", 0)) == Status::ok);
    CHECK(status_of(file_of("{\"a\"" + t + ",\"a\"" + t + "}", 0)) == Status::duplicate_name);
    CHECK(status_of(file_of("{\"a\"" + t + ",\"\\u0061\"" + t + "}", 0)) == Status::duplicate_name);
    CHECK(status_of(file_of(R"({"__metadata__":{"a":"1","a":"2"}})", 0)) == Status::duplicate_name);
    CHECK(status_of(file_of(R"({"__metadata__":{},"__metadata__":{}})", 0)) ==
          Status::duplicate_name);
    CHECK(entry(R"({"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]})", 0) ==
          Status::bad_json);
}

TEST_CASE("a tensor's entry has exactly its three members") {
    CHECK(entry(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})", 1) == Status::ok);
    CHECK(entry(R"({"dtype":"U8","shape":[1]})", 1) == Status::bad_json);
    CHECK(entry(R"({})", 1) == Status::bad_json);
    CHECK(entry(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1})", 1) == Status::bad_json);
    CHECK(entry(R"({"dtype":"U8","shape":[1,],"data_offsets":[0,1]})", 1) == Status::bad_json);
    CHECK(entry(R"({"dtype":"U8","shape":[-1],"data_offsets":[0,1]})", 1) == Status::bad_json);
    CHECK(entry(R"({"dtype":"U8","shape":[1.0],"data_offsets":[0,1]})", 1) == Status::bad_json);
    CHECK(entry(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1,2]})", 1) == Status::bad_json);
    CHECK(entry(R"({"dtype":8,"shape":[1],"data_offsets":[0,1]})", 1) == Status::bad_json);
}

TEST_CASE("unknown element types have their own refusal") {
    CHECK(entry(R"({"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]})", 1) ==
          Status::unknown_dtype);
    CHECK(entry(R"({"dtype":"f32","shape":[1],"data_offsets":[0,4]})", 4) == Status::unknown_dtype);
    for (const char* name : {"BOOL", "U8", "I8", "I16", "U16", "F16", "BF16", "I32", "U32", "F32",
                             "I64", "U64", "F64"}) {
        CAPTURE(name);
        const std::string json =
            std::string(R"({"dtype":")") + name + R"(","shape":[0],"data_offsets":[0,0]})";
        const Reading r(file_of("{\"t\":" + json + "}", 0));
        REQUIRE(r.file.status == Status::ok);
        CHECK(std::string(name_of(r.file.find("t")->dtype)) == name);
    }
}

TEST_CASE("sizes must agree and must not overflow") {
    CHECK(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4) == Status::size_mismatch);
    CHECK(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", 4) == Status::size_mismatch);
    CHECK(entry(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})", 0) ==
          Status::size_overflow);
    CHECK(entry(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})", 0) ==
          Status::size_overflow);
    CHECK(entry(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1],"data_offsets":[0,1]})", 1) ==
          Status::ok);
    CHECK(entry(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]})", 1) ==
          Status::too_many_dims);
    CHECK(entry(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})", 1) ==
          Status::data_size_mismatch);
    CHECK(entry(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})", 3) ==
          Status::data_size_mismatch);
}

TEST_CASE("holes and overlaps are refused") {
    const auto two = [](const std::string& first, const std::string& second) {
        return file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + first +
                           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}",
                       4);
    };
    CHECK(status_of(two("[0,2]", "[2,4]")) == Status::ok);
    CHECK(status_of(two("[2,4]", "[0,2]")) == Status::ok);
    CHECK(status_of(two("[0,2]", "[1,3]")) == Status::bad_offsets);
    CHECK(status_of(two("[0,2]", "[0,2]")) == Status::bad_offsets);
    CHECK(status_of(two("[0,2]", "[3,5]")) == Status::bad_offsets);
    CHECK(status_of(two("[1,3]", "[3,5]")) == Status::bad_offsets);
}

TEST_CASE("too small arrays give the counts that are needed") {
    const std::string text = file_of(kValid, 32);
    const std::span bytes(reinterpret_cast<const unsigned char*>(text.data()), text.size());
    const SafetensorsFile counted = read_safetensors(bytes, {}, {});
    CHECK(counted.status == Status::no_room);
    CHECK(counted.tensor_count == 3);
    CHECK(counted.metadata_count == 2);
    std::vector<SafetensorsTensor> tensors(counted.tensor_count);
    std::vector<SafetensorsMetadata> metadata(counted.metadata_count);
    CHECK(read_safetensors(bytes, tensors, metadata).status == Status::ok);
    tensors.pop_back();
    CHECK(read_safetensors(bytes, tensors, metadata).status == Status::no_room);
}

TEST_CASE("every truncation of a valid file is refused") {
    const std::string text = file_of(kValid, 32);
    for (std::size_t n = 0; n < text.size(); ++n) {
        CAPTURE(n);
        CHECK(status_of(text.substr(0, n)) != Status::ok);
    }
}

TEST_CASE("damaged files are read or refused, never overrun") {
    const std::string text = file_of(kValid, 32);
    int refused = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const int change : {0x01, 0x20, 0x80, 0xff}) {
            std::string damaged = text;
            damaged[at] = static_cast<char>(damaged[at] ^ change);
            const Reading r(damaged);
            refused += r.file.status != Status::ok ? 1 : 0;
            for (const SafetensorsTensor& tensor : r.file.tensors) {
                REQUIRE(tensor.end <= r.file.data.size());
            }
        }
    }
    CHECK(refused > 100);
    std::mt19937 random(5);
    const std::string alphabet = "{}[]\",:\\u0123456789aF ";
    for (int round = 0; round < 20'000; ++round) {
        std::string damaged = text;
        for (int k = 0; k < 3; ++k) {
            const std::size_t at = 8 + random() % (damaged.size() - 8);
            switch (random() % 3) {
                case 0:
                    damaged[at] = alphabet[random() % alphabet.size()];
                    break;
                case 1:
                    damaged.erase(at, 1 + random() % 4);
                    break;
                default:
                    damaged.insert(at, 1, alphabet[random() % alphabet.size()]);
                    break;
            }
        }
        const Reading r(damaged);
        for (const SafetensorsTensor& tensor : r.file.tensors) {
            REQUIRE(tensor.end <= r.file.data.size());
        }
        REQUIRE(r.file.problem_offset <= damaged.size());
    }
}

TEST_CASE("every status has a text of its own") {
    std::vector<std::string> texts;
    for (int i = 0; i <= static_cast<int>(Status::no_room); ++i) {
        texts.emplace_back(text_of(static_cast<Status>(i)));
    }
    std::sort(texts.begin(), texts.end());
    CHECK(std::unique(texts.begin(), texts.end()) == texts.end());
    CHECK(std::find(texts.begin(), texts.end(), "unknown status") == texts.end());
}
