// A strict reader of the safetensors format over bytes in memory: it allocates nothing, copies
// nothing and trusts nothing. The format: 8 bytes with the little-endian length N of the header, N
// bytes of JSON padded with spaces, then the data. The header maps names to
// {"dtype", "shape", "data_offsets"} and may hold "__metadata__", a map from string to string.
//
// Refused are all files that the format forbids and those that readers are known to disagree on:
// duplicate names, unknown members of a tensor's entry, and data with holes or overlaps. Values are
// not looked at: a NaN is data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/dtype.h"

namespace drydock {

enum class SafetensorsStatus : std::uint8_t {
    ok,
    too_short,           // fewer than 8 bytes
    header_too_long,     // N above 100,000,000
    header_truncated,    // the file ends within the header
    bad_utf8,            // the header is not UTF-8
    bad_json,            // the header is not the JSON that the format asks for
    bad_metadata,        // __metadata__ is not a map from string to string
    duplicate_name,      // two tensors or two metadata entries have one name
    unknown_dtype,       // an element type that this reader does not know
    too_many_dims,       // more than kSafetensorsMaxRank
    size_overflow,       // the product of a shape does not fit 64 bits
    size_mismatch,       // data_offsets and shape disagree
    bad_offsets,         // the tensors leave a hole, overlap, or do not begin at 0
    data_size_mismatch,  // the file is longer or shorter than its tensors
    no_room,             // the caller's arrays are too small; the counts say how much is needed
};

// One sentence, in static memory.
const char* text_of(SafetensorsStatus status);

enum class SafetensorsDType : std::uint8_t {
    boolean,
    u8,
    i8,
    i16,
    u16,
    f16,
    bf16,
    i32,
    u32,
    f32,
    i64,
    u64,
    f64
};

// Size of one element in bytes.
std::size_t size_of(SafetensorsDType dtype);

// As the file writes it, for example "F32".
const char* name_of(SafetensorsDType dtype);

// The element type of drydock that has the same bits. False if there is none.
bool to_dtype(SafetensorsDType from, DType& to);

constexpr std::size_t kSafetensorsMaxRank = 8;
constexpr std::uint64_t kSafetensorsMaxHeader = 100'000'000;

// A JSON string as it stands in the file, without its quotes: escapes are not decoded, but are
// known to be valid.
struct SafetensorsText {
    std::string_view raw;

    // Whether the decoded string is `text`.
    bool is(std::string_view text) const;

    // Writes at most out.size() bytes of the decoded string (UTF-8, no terminating zero) and
    // returns how many it has altogether. It never has more than raw.size().
    std::size_t decode(std::span<char> out) const;
};

struct SafetensorsTensor {
    SafetensorsText name;
    SafetensorsDType dtype;
    std::uint32_t rank;
    std::uint64_t shape[kSafetensorsMaxRank];
    std::uint64_t begin, end;  // within the data, in bytes; any alignment
};

struct SafetensorsMetadata {
    SafetensorsText key, value;
};

// What was read. All views point into the caller's bytes and arrays.
struct SafetensorsFile {
    SafetensorsStatus status;
    std::uint64_t problem_offset;  // where in the file a refusal was decided
    std::size_t tensor_count;      // valid with ok and with no_room
    std::size_t metadata_count;
    std::span<const SafetensorsTensor> tensors;     // in order of decoded names
    std::span<const SafetensorsMetadata> metadata;  // in order of decoded keys
    std::span<const unsigned char> data;            // everything after the header

    // Null if there is none of that name.
    const SafetensorsTensor* find(std::string_view name) const;
    const SafetensorsText* find_metadata(std::string_view key) const;

    // First byte of the tensor's data.
    const unsigned char* data_of(const SafetensorsTensor& tensor) const {
        return data.data() + tensor.begin;
    }
};

// Reads `file` into the caller's arrays. To learn how large they must be, call it with empty ones:
// the answer is no_room (or ok if there is nothing to hold) with both counts. Time grows as n log
// n.
SafetensorsFile read_safetensors(std::span<const unsigned char> file,
                                 std::span<SafetensorsTensor> tensors,
                                 std::span<SafetensorsMetadata> metadata);

}  // namespace drydock
