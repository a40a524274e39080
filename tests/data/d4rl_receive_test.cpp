// Readers that lie: what a process sends after damage has changed its memory must not harm the one
// that receives it.
#include "data/d4rl_receive.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/philox.h"
#include "data/d4rl_child.h"
#include "tests/data/example.h"

namespace drydock::data {
namespace {

constexpr std::int64_t kRows = 6;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

StoredColumn array(std::vector<std::int64_t> shape) {
    StoredColumn column;
    column.state = StoredColumn::State::array;
    column.numeric = true;
    column.dtype = "float32";
    column.shape = std::move(shape);
    return column;
}

// Six rows with observations of 3 and actions of 2 numbers, no optional columns.
StoredFile small_file() {
    StoredFile file;
    file.attributes = {{"env", "Example-v0"}};
    file.contents = {{"observations", "float32", {kRows, 3}, false}};
    file.columns[kObservations] = array({kRows, 3});
    file.columns[kActions] = array({kRows, 2});
    file.columns[kRewards] = array({kRows});
    file.columns[kTerminals] = array({kRows, 1});
    return file;
}

void send_facts(ChildChannel& channel, const StoredFile& file) {
    const std::string bytes = encode(file);
    send(channel, {MessageKind::facts, 0, 0, 0, bytes.size()}, bytes.data());
}

void send_block(ChildChannel& channel, Column column, std::int64_t first, std::int64_t rows,
                std::int64_t width, float value = 0.5f) {
    const std::vector<float> values(static_cast<std::size_t>(rows * width), value);
    send(channel, {MessageKind::block, column, first, rows, 4 * values.size()}, values.data());
}

void send_columns(ChildChannel& channel) {
    send_block(channel, kObservations, 0, 4, 3);
    send_block(channel, kObservations, 4, 2, 3);
    send_block(channel, kActions, 0, kRows, 2);
    send_block(channel, kRewards, 0, kRows, 1);
    send_block(channel, kTerminals, 0, kRows, 1, 1.0f);
}

// Receives everything that `body` sends.
Dataset received(const std::function<void(ChildChannel&)>& body,
                 const Room& room = {1 << 20, 1e9, false}) {
    Dataset out;
    std::array<bool, kColumns> wanted{};
    wanted.fill(true);
    Receiver receiver(out, wanted, 1, room);
    ChildProcess reader(body, {});
    receiver.take_facts(reader);
    while (receiver.take(reader, 0)) {
    }
    return out;
}

std::string refusal_of(const std::function<void(ChildChannel&)>& body) {
    return message_of([&] { received(body); });
}

// What is said when a good file's messages are followed or replaced by `body`.
std::string refusal_after_facts(const std::function<void(ChildChannel&)>& body) {
    return refusal_of([&](ChildChannel& channel) {
        send_facts(channel, small_file());
        body(channel);
        send(channel, {}, nullptr);
    });
}

std::string refusal_of_file(const StoredFile& file) {
    return refusal_of([&](ChildChannel& channel) { send_facts(channel, file); });
}

}  // namespace

TEST_CASE("honest messages become columns") {
    const Dataset d = received([](ChildChannel& channel) {
        send_facts(channel, small_file());
        send_columns(channel);
        send(channel, {}, nullptr);
    });
    CHECK(d.observations == std::vector<float>(18, 0.5f));
    CHECK(d.actions == std::vector<float>(12, 0.5f));
    CHECK(d.terminals == std::vector<std::uint8_t>(6, 1));
    CHECK(d.attributes.at("env") == "Example-v0");
    CHECK(d.raw_facts.at(0).used);
    CHECK_NOTHROW(validate(d));
}

TEST_CASE("blocks out of turn, of wrong sizes or of rows that are not there are refused") {
    const auto refused = [](Head head) {
        const std::string text = refusal_after_facts([&](ChildChannel& channel) {
            const std::vector<float> values(1 << 10);
            channel.send(&head, sizeof head, values.data(), 4 * values.size());
        });
        CAPTURE(text);
        CHECK(has_all(text, {"damaged", "does not fit the file's own description"}));
    };
    const auto block = MessageKind::block;
    refused({block, kActions, 0, 6, 48});       // observations come first
    refused({block, kObservations, 1, 5, 60});  // row 0 is due
    refused({block, kObservations, 0, 7, 84});  // a row too many
    refused({block, kObservations, 0, kMost, 84});
    refused({block, kObservations, 0, kMost / 12 + 1, 4});  // 12 times that overflows
    refused({block, kObservations, 0, 0, 0});
    refused({block, kObservations, 0, -1, 84});
    refused({block, kObservations, -1, 6, 72});
    refused({block, kObservations, 0, 6, 71});
    refused({block, kObservations, 0, 6, std::numeric_limits<std::uint64_t>::max()});
    refused({block, kColumns, 0, 6, 72});
    refused({block, 0xffffffffu, 0, 6, 72});
    refused({MessageKind::facts, 0, 0, 0, 8});  // a second time
    refused({static_cast<MessageKind>(77), 0, 0, 0, 8});
    refused({MessageKind::error, 0, 0, 0, kMostFactBytes + 1});
    refused({MessageKind::done, 0, 0, 0, 0});  // before the columns
}

TEST_CASE("blocks after the last column and ends before it are refused") {
    CHECK(has_all(refusal_after_facts([](ChildChannel& channel) {
                      send_columns(channel);
                      send_block(channel, kTerminals, 0, 1, 1);
                  }),
                  {"does not fit"}));
    CHECK(has_all(refusal_of([](ChildChannel& channel) {
                      send_facts(channel, small_file());
                      send_columns(channel);
                  }),
                  {"gave up (exit status 0)"}));
}

TEST_CASE("flags that are not numbers are named by their row") {
    CHECK(has_all(refusal_after_facts([](ChildChannel& channel) {
                      send_block(channel, kObservations, 0, kRows, 3);
                      send_block(channel, kActions, 0, kRows, 2);
                      send_block(channel, kRewards, 0, kRows, 1);
                      send_block(channel, kTerminals, 0, 4, 1);
                      send_block(channel, kTerminals, 4, 2, 1, std::nanf(""));
                  }),
                  {"flags in terminals", "nan in row 4"}));
}

TEST_CASE("shapes that no file means are refused before anything is allocated") {
    const auto with = [](Column column, std::vector<std::int64_t> shape) {
        StoredFile file = small_file();
        file.columns[column] = array(std::move(shape));
        return refusal_of_file(file);
    };
    CHECK(has_all(with(kObservations, {-1, 3}), {"observations", "at least one row"}));
    CHECK(has_all(with(kObservations, {kRows, -3}), {"observations", "at least one row"}));
    CHECK(has_all(with(kActions, {kRows, 0}), {"actions", "at least one row"}));
    CHECK(has_all(with(kObservations, {kRows, kMost}), {"fit into", "observations"}));
    CHECK(has_all(with(kRewards, {}), {"rewards", "got ()"}));
    CHECK(has_all(with(kTimeouts, {kRows, 1, 1}), {"timeouts", "got (6, 1, 1)"}));
    StoredFile file = small_file();
    file.columns[kObservations] = array({kMost, kMost});
    file.columns[kActions] = array({kMost, kMost});
    file.columns[kRewards] = array({kMost});
    file.columns[kTerminals] = array({kMost});
    CHECK(has_all(refusal_of_file(file), {"fit into", "of memory"}));
    file = small_file();
    file.columns[kRewards].numeric = false;
    CHECK(has_all(refusal_of_file(file), {"rewards to hold numbers"}));
    file = small_file();
    file.columns[kTimeouts].state = StoredColumn::State::unreadable;
    file.columns[kTimeouts].reason = "a ghost";
    CHECK(has_all(refusal_of_file(file), {"timeouts to be an array, got a ghost"}));
}

TEST_CASE("what gzip can make of a file's bytes counts numbers as the file stores them") {
    const auto claim = [](std::int64_t item_bytes, std::int64_t rows) {
        const auto body = [=](ChildChannel& channel) {
            StoredFile file = small_file();
            file.columns[kObservations] = array({rows, 100});
            file.columns[kObservations].item_bytes = item_bytes;
            file.columns[kActions] = array({rows, 1});
            file.columns[kRewards] = array({rows});
            file.columns[kTerminals] = array({rows});
            send_facts(channel, file);
        };
        return message_of([&] { received(body, {1000, 1e9, false}); });
    };
    // What is not refused ends without its blocks.
    CHECK(has_all(claim(1, 400000), {"gave up (exit status 0)"}));
    CHECK(has_all(claim(1, 800000), {"fit into a file of 1000 bytes"}));
    CHECK(has_all(claim(4, 400000), {"fit into a file of 1000 bytes"}));
}

TEST_CASE("next observations that are made later need room too") {
    const auto body = [](ChildChannel& channel) {
        send_facts(channel, small_file());
        send_columns(channel);
        send(channel, {}, nullptr);
    };
    // Columns of 168 bytes, and 72 of next observations.
    CHECK_NOTHROW(received(body, {1 << 20, 200, false}));
    CHECK_NOTHROW(received(body, {1 << 20, 240, true}));
    CHECK(has_all(message_of([&] { received(body, {1 << 20, 239, true}); }), {"of memory"}));
    CHECK(has_all(message_of([&] { received(body, {1 << 20, 167, false}); }), {"of memory"}));
}

TEST_CASE("facts are taken as written, and nothing else is") {
    StoredFile file = small_file();
    file.columns[kTimeouts] = array({kRows});
    file.columns[kTimeouts].band_rows = 4;
    file.columns[kTimeouts].item_bytes = 1;
    file.columns[kNextObservations].state = StoredColumn::State::unreadable;
    file.columns[kNextObservations].reason = "none";
    const std::string bytes = encode(file);
    const StoredFile same = decode(bytes);
    CHECK(encode(same) == bytes);
    CHECK(same.columns[kTimeouts].band_rows == 4);
    CHECK(same.columns[kTimeouts].item_bytes == 1);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CHECK(has_all(message_of([&] { decode(bytes.substr(0, length)); }), {"sent nonsense"}));
    }
    CHECK(has_all(message_of([&] { decode(bytes + "x"); }), {"sent nonsense"}));
}

TEST_CASE("altered facts never do more than fail") {
    const std::string bytes = encode(small_file());
    int failed = 0;
    for (std::uint64_t k = 0; k < 20000; ++k) {
        std::string altered = bytes;
        for (std::uint64_t i = 0; i <= k % 3; ++i) {
            const auto draw = [&](const char* stream, std::uint64_t n) {
                return random_index(k, stream_id(stream), 0, i, n);
            };
            altered[draw("at", altered.size())] = static_cast<char>(draw("byte", 256));
        }
        failed += message_of([&] { decode(altered); }) != "nothing thrown";
    }
    CHECK(failed > 1000);
}

TEST_CASE("text for the terminal is UTF-8 without controls") {
    CHECK(printable("plain") == "plain");
    CHECK(printable("Größe, 大きさ, \xf0\x9f\x98\x80") == "Größe, 大きさ, \xf0\x9f\x98\x80");
    CHECK(printable("a\x1b[31mb\nc\x7f") == "a?[31mb?c?");
    CHECK(printable("\xc2\x9b"
                    "1m") == "?1m");  // a control beyond ASCII
    CHECK(printable("\xff\xfe") == "??");
    CHECK(printable("\xc0\xaf\xe0\x80\xaf") == "?????");  // overlong
    CHECK(printable("\xed\xa0\x80") == "???");            // a surrogate
    CHECK(printable("\xf4\x90\x80\x80") == "????");       // beyond the last character
    CHECK(printable("\xe5\xa4") == "??");                 // cut short
}

TEST_CASE("readers share the rows by whole bands, each row once") {
    for (const std::int64_t rows : {1, 2, 7, 100, 15625}) {
        for (const std::int64_t band : {1, 3, 100, 20000}) {
            for (const int readers : {1, 2, 3, 4}) {
                std::int64_t next = 0;
                for (int i = 0; i < readers; ++i) {
                    const RowRange share = share_of(rows, band, i, readers);
                    CHECK(share.first == next);
                    CHECK((share.first % band == 0 || share.first == rows));
                    next = share.last_exclusive;
                }
                CHECK(next == rows);
            }
        }
    }
    CHECK(share_of(kMost, 1, 3, 4).last_exclusive == kMost);
    CHECK(share_of(10, kMost, 0, 2).last_exclusive == share_of(10, kMost, 1, 2).first);
    CHECK(share_of(10, kMost, 1, 2).last_exclusive == 10);
}

}  // namespace drydock::data
