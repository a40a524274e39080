#include "data/d4rl_receive.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace drydock::data {
namespace {

using State = StoredColumn::State;

constexpr double kGiB = 1073741824.0;
// gzip makes at most 1032 bytes of one (zlib's technical details), counted as the file stores
// numbers: one of 1 byte has 4 in memory. Arrays without stored values, which read as zeros, have
// the constant to live by.
constexpr double kMostExpansion = 1032.0;
constexpr double kFreeBytes = 1 << 26;
constexpr std::size_t kMostNames = 12;

bool required(int column) {
    return column == kObservations || column == kActions || column == kRewards ||
           column == kTerminals;
}

bool is_matrix(int column) {
    return column == kObservations || column == kActions || column == kNextObservations;
}

[[noreturn]] void refuse(int column, const StoredColumn& stored, const std::string& expected) {
    throw Error(fmt::format(
        "expected {} to have the shape of {}, got ({}); the file is not in "
        "D4RL's flat layout",
        kColumnNames[static_cast<std::size_t>(column)], expected, fmt::join(stored.shape, ", ")));
}

[[noreturn]] void nonsense() {
    throw Error(
        "expected a whole HDF5 file, got a damaged one: the HDF5 library's process sent what "
        "does not fit the file's own description; fetch the file again");
}

void check_present(const StoredFile& file) {
    std::vector<std::string> missing, present;
    for (int c = 0; c < kColumns; ++c) {
        const auto i = static_cast<std::size_t>(c);
        if (required(c) && file.columns[i].state == State::absent) {
            missing.emplace_back(kColumnNames[i]);
        }
    }
    if (missing.empty()) return;
    for (const ColumnFacts& facts : file.contents) {
        if (present.size() < kMostNames) present.push_back(facts.name);
    }
    std::string list = present.empty() ? "nothing" : fmt::format("{}", fmt::join(present, ", "));
    if (file.contents.size() > present.size()) {
        list += fmt::format(" and {} more", file.contents.size() - present.size());
    }
    throw Error(
        fmt::format("expected the columns observations, actions, rewards and terminals "
                    "at the root, got none called {}; the file holds: {}",
                    fmt::join(missing, ", "), list));
}

void check_numbers(const StoredFile& file) {
    for (std::size_t c = 0; c < kColumns; ++c) {
        const StoredColumn& stored = file.columns[c];
        if (stored.state == State::unreadable) {
            throw Error(
                fmt::format("expected {} to be an array, got {}", kColumnNames[c], stored.reason));
        }
        if (stored.state == State::array && !stored.numeric) {
            throw Error(fmt::format("expected {} to hold numbers or flags, got {}", kColumnNames[c],
                                    stored.dtype));
        }
    }
}

void check_matrix(int column, const StoredColumn& stored, std::int64_t& rows, std::int64_t& width) {
    const auto& shape = stored.shape;
    if (shape.size() != 2) refuse(column, stored, "a matrix, one row per step");
    if (shape[0] <= 0 || shape[1] <= 0) {
        refuse(column, stored, "at least one row and one number in it");
    }
    if (rows == 0) rows = shape[0];
    if (width == 0) width = shape[1];
    if (shape[0] != rows || shape[1] != width) {
        refuse(column, stored, fmt::format("({}, {}) like the columns before it", rows, width));
    }
}

// Integers, one per row.
bool are_choices(const StoredColumn& actions) {
    return actions.dtype.find("int") != std::string::npos &&
           (actions.shape.size() == 1 || (actions.shape.size() == 2 && actions.shape[1] == 1));
}

// (rows) or (rows, 1).
void check_vector(int column, const StoredColumn& stored, std::int64_t rows) {
    const auto& s = stored.shape;
    const bool fits = !s.empty() && s[0] == rows && (s.size() == 1 || (s.size() == 2 && s[1] == 1));
    if (!fits) refuse(column, stored, fmt::format("({}) like the columns before it", rows));
}

}  // namespace

Receiver::Receiver(Dataset& out, const std::array<bool, kColumns>& wanted, int readers,
                   const Room& room)
    : out_(out),
      wanted_(wanted),
      readers_(readers),
      room_(room),
      progress_(static_cast<std::size_t>(readers)) {}

void Receiver::check_layout(const StoredFile& file) {
    check_present(file);
    check_numbers(file);
    // Observations come first: they decide how many rows there are.
    for (int c = 0; c < kColumns; ++c) {
        const StoredColumn& stored = file.columns[static_cast<std::size_t>(c)];
        if (stored.state == State::absent) continue;
        if (c == kActions && are_choices(stored)) {
            check_vector(c, stored, out_.rows);
            out_.action_size = out_.action_count = 1;  // how many there are is seen in the rows
        } else if (is_matrix(c)) {
            check_matrix(c, stored, out_.rows,
                         c == kActions ? out_.action_size : out_.observation_size);
        } else {
            check_vector(c, stored, out_.rows);
        }
    }
}

void Receiver::check_memory() const {
    double total = 0, decoded = 0;
    std::size_t largest = 0;
    const auto bytes = [&](std::size_t c) {
        return 4.0 * static_cast<double>(out_.rows) * static_cast<double>(columns_[c].width());
    };
    for (std::size_t c = 0; c < kColumns; ++c) {
        if (columns_[c].state == State::absent || !wanted_[c]) continue;
        total += bytes(c);
        decoded += bytes(c) / 4.0 * static_cast<double>(columns_[c].item_bytes);
        if (bytes(c) > bytes(largest)) largest = c;
    }
    const bool has_next =
        wanted_[kNextObservations] && columns_[kNextObservations].state != State::absent;
    if (room_.next_observations_made && !has_next) total += bytes(kObservations);
    const double memory = room_.memory;
    const double plausible = kFreeBytes + kMostExpansion * static_cast<double>(room_.file_bytes);
    const auto name_largest = [&] {
        return fmt::format("{} with ({}), {:.3g} GiB in all", kColumnNames[largest],
                           fmt::join(columns_[largest].shape, ", "), total / kGiB);
    };
    // Checked before it is taken: an allocation succeeds and the kernel kills the program later.
    if (total > memory) {
        throw Error(fmt::format("expected columns that fit into {:.3g} GiB of memory, got {}",
                                memory / kGiB, name_largest()));
    }
    if (decoded > plausible) {
        throw Error(
            fmt::format("expected columns that fit into a file of {} bytes, got {}; the file is "
                        "damaged, or most of it was never written",
                        room_.file_bytes, name_largest()));
    }
}

void Receiver::allocate() {
    const auto rows = static_cast<std::size_t>(out_.rows);
    const auto has = [&](Column c) { return wanted_[c] && columns_[c].state == State::array; };
    const auto observation = static_cast<std::size_t>(out_.observation_size);
    out_.observations.resize(rows * observation);
    out_.actions.resize(rows * static_cast<std::size_t>(out_.action_size));
    out_.rewards.resize(rows);
    out_.terminals.resize(rows);
    if (has(kNextObservations)) out_.next_observations.resize(rows * observation);
    if (has(kTimeouts)) out_.timeouts.resize(rows);
}

RowRange Receiver::share(int index, int column) const {
    const StoredColumn& stored = columns_[static_cast<std::size_t>(column)];
    const bool sent = wanted_[static_cast<std::size_t>(column)] && stored.state == State::array;
    return sent ? share_of(out_.rows, stored.band_rows, index, readers_) : RowRange{};
}

void Receiver::begin_column(Progress& progress, int index, int column) const {
    progress.column = column;
    while (progress.column < kColumns) {
        const RowRange rows = share(index, progress.column);
        progress.next_row = rows.first;
        if (rows.first < rows.last_exclusive) return;
        ++progress.column;
    }
}

void Receiver::take_facts(ChildProcess& reader) {
    Head head;
    reader.receive(&head, sizeof head);
    if (head.bytes > kMostFactBytes) nonsense();
    std::string bytes(static_cast<std::size_t>(head.bytes), '\0');
    reader.receive(bytes.data(), bytes.size());
    if (head.kind == MessageKind::error) throw Error(printable(bytes));
    if (head.kind != MessageKind::facts) nonsense();
    StoredFile file = decode(bytes);
    for (std::size_t c = 0; c < kColumns; ++c) {
        if (wanted_[c]) continue;
        if (c == kNextObservations)
            out_.next_observations_left = file.columns[c].state != State::absent;
        file.columns[c] = {};  // whatever it is, nobody looks at it
    }
    check_layout(file);
    columns_ = file.columns;
    check_memory();
    allocate();
    for (int i = 0; i < readers_; ++i) begin_column(progress_[static_cast<std::size_t>(i)], i, 0);
    for (ColumnFacts& facts : file.contents) {
        for (std::size_t c = 0; c < kColumns; ++c) {
            if (facts.name == kColumnNames[c]) facts.used = wanted_[c];
        }
    }
    out_.raw_facts = std::move(file.contents);
    out_.attributes = std::move(file.attributes);
}

bool Receiver::take(ChildProcess& reader, int index) {
    Head head;
    reader.receive(&head, sizeof head);
    switch (head.kind) {
        case MessageKind::block:
            take_block(reader, head, index);
            return true;
        case MessageKind::done:
            if (progress_[static_cast<std::size_t>(index)].column != kColumns) nonsense();
            return false;
        case MessageKind::error: {
            if (head.bytes > kMostFactBytes) nonsense();
            std::string text(static_cast<std::size_t>(head.bytes), '\0');
            reader.receive(text.data(), text.size());
            throw Error(printable(text));
        }
        default:
            nonsense();
    }
}

void Receiver::take_block(ChildProcess& reader, const Head& head, int index) {
    Progress& progress = progress_[static_cast<std::size_t>(index)];
    if (progress.column >= kColumns || head.column != static_cast<std::uint32_t>(progress.column)) {
        nonsense();
    }
    const RowRange rows = share(index, progress.column);
    const auto width = static_cast<std::uint64_t>(columns_[head.column].width());
    if (head.first_row != progress.next_row || head.rows < 1 ||
        head.rows > rows.last_exclusive - progress.next_row ||
        head.bytes != static_cast<std::uint64_t>(head.rows) * width * sizeof(float)) {
        nonsense();
    }
    switch (static_cast<Column>(progress.column)) {
        case kObservations:
            take_floats(reader, head, out_.observations);
            break;
        case kActions:
            take_floats(reader, head, out_.actions);
            break;
        case kRewards:
            take_floats(reader, head, out_.rewards);
            break;
        case kNextObservations:
            take_floats(reader, head, out_.next_observations);
            break;
        case kTerminals:
            take_flags(reader, head, out_.terminals);
            break;
        case kTimeouts:
            take_flags(reader, head, out_.timeouts);
            break;
        case kColumns:
            break;
    }
    progress.next_row += head.rows;
    if (progress.next_row == rows.last_exclusive) {
        begin_column(progress, index, progress.column + 1);
    }
}

void Receiver::take_floats(ChildProcess& reader, const Head& head, std::vector<float>& column) {
    const auto width = static_cast<std::size_t>(columns_[head.column].width());
    reader.receive(column.data() + static_cast<std::size_t>(head.first_row) * width,
                   static_cast<std::size_t>(head.bytes));
}

void Receiver::take_flags(ChildProcess& reader, const Head& head,
                          std::vector<std::uint8_t>& column) {
    constexpr std::int64_t kPiece = 1 << 12;
    std::array<float, kPiece> piece;
    for (std::int64_t done = 0; done < head.rows; done += kPiece) {
        const std::int64_t count = std::min(kPiece, head.rows - done);
        reader.receive(piece.data(), static_cast<std::size_t>(count) * sizeof(float));
        for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t row = head.first_row + done + i;
            const float value = piece[static_cast<std::size_t>(i)];
            if (std::isnan(value)) {
                throw Error(fmt::format("expected flags in {}, got nan in row {}",
                                        kColumnNames[head.column], row));
            }
            column[static_cast<std::size_t>(row)] = value != 0 ? 1 : 0;
        }
    }
}

}  // namespace drydock::data
