// What the process that reads an HDF5 file tells the one that wants the data: facts first, then the
// columns in blocks of rows. The receiver believes nothing: a reader may have run into damage that
// changed its memory. Internal to data/.
//
// A stream is Head, payload, Head, payload, ... of one machine; it is never stored.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace drydock::data {

enum Column {
    kObservations,
    kActions,
    kRewards,
    kTerminals,
    kNextObservations,
    kTimeouts,
    kColumns
};
constexpr std::array<const char*, kColumns> kColumnNames = {
    "observations", "actions", "rewards", "terminals", "next_observations", "timeouts"};

enum class MessageKind : std::uint32_t {
    facts = 0x66616374,  // payload: encode(StoredFile)
    block = 0x626c6f63,  // payload: rows x width floats of `column`
    error = 0x6572726f,  // payload: text
    done = 0x646f6e65,   // nothing follows
};

struct Head {
    MessageKind kind = MessageKind::done;
    std::uint32_t column = 0;
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
    std::uint64_t bytes = 0;  // of the payload
};
constexpr std::uint64_t kMostFactBytes = std::uint64_t{1} << 26;

// What stands under the name of a column.
struct StoredColumn {
    enum class State : std::uint8_t { absent, unreadable, array };
    State state = State::absent;
    std::string reason;  // unreadable: why
    bool numeric = false;
    std::string dtype;
    std::int64_t item_bytes = 4;  // of one number in the file, decoded
    std::vector<std::int64_t> shape;
    std::int64_t band_rows =
        1;  // rows of a chunk, which is decoded as a whole; 1 where not chunked

    std::int64_t width() const { return shape.size() == 2 ? shape[1] : 1; }
};

struct StoredFile {
    std::map<std::string, std::string> attributes;
    std::vector<ColumnFacts> contents;  // sorted by name
    std::array<StoredColumn, kColumns> columns;
};

std::string encode(const StoredFile& file);
// Throws Error for bytes that encode() does not make. Text comes out printable: UTF-8 without
// control characters.
StoredFile decode(const std::string& bytes);

// Text that may go to a terminal: control characters and what is not UTF-8 become '?'.
std::string printable(const std::string& text);

struct RowRange {
    std::int64_t first = 0, last_exclusive = 0;
};
// The rows of a column that reader `index` of `readers` sends: whole bands, in equal shares.
RowRange share_of(std::int64_t rows, std::int64_t band_rows, int index, int readers);

}  // namespace drydock::data
