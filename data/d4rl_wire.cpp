#include "data/d4rl_wire.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace drydock::data {
namespace {

class Encoder {
  public:
    void number(std::int64_t value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(const std::string& value) {
        number(static_cast<std::int64_t>(value.size()));
        bytes_ += value;
    }
    void shape(const std::vector<std::int64_t>& dims) {
        number(static_cast<std::int64_t>(dims.size()));
        for (const std::int64_t dim : dims) number(dim);
    }
    std::string take() { return std::move(bytes_); }

  private:
    std::string bytes_;
};

class Decoder {
  public:
    explicit Decoder(const std::string& bytes) : bytes_(bytes) {}

    std::int64_t number() {
        std::int64_t value = 0;
        std::memcpy(&value, take(sizeof value), sizeof value);
        return value;
    }
    // Of things that take at least `least` bytes each.
    std::size_t count(std::size_t least) {
        const std::int64_t value = number();
        if (value < 0 || static_cast<std::uint64_t>(value) > left() / least) nonsense();
        return static_cast<std::size_t>(value);
    }
    bool boolean() {
        const std::int64_t value = number();
        if (value != 0 && value != 1) nonsense();
        return value == 1;
    }
    std::string text() {
        const std::size_t size = count(1);
        return printable(std::string(take(size), size));
    }
    std::vector<std::int64_t> shape() {
        std::vector<std::int64_t> dims(count(sizeof(std::int64_t)));
        for (std::int64_t& dim : dims) dim = number();
        return dims;
    }
    void finish() const {
        if (left() != 0) nonsense();
    }
    [[noreturn]] static void nonsense() {
        throw Error(
            "expected a whole HDF5 file, got a damaged one: the HDF5 library's process sent "
            "nonsense; fetch the file again");
    }

  private:
    std::size_t left() const { return bytes_.size() - at_; }
    const char* take(std::size_t size) {
        if (size > left()) nonsense();
        const char* first = bytes_.data() + at_;
        at_ += size;
        return first;
    }

    const std::string& bytes_;
    std::size_t at_ = 0;
};

StoredColumn::State state_of(std::int64_t number) {
    using State = StoredColumn::State;
    for (const State state : {State::absent, State::unreadable, State::array}) {
        if (number == static_cast<std::int64_t>(state)) return state;
    }
    Decoder::nonsense();
}

// Bytes of the UTF-8 character at text[i], 0 when there is none (RFC 3629).
std::size_t utf8_length(const std::string& text, std::size_t i) {
    const auto byte = [&](std::size_t k) {
        return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
    };
    const unsigned first = byte(i);
    const std::size_t length = first < 0x80                     ? 1
                               : first >= 0xc2 && first <= 0xdf ? 2
                               : (first & 0xf0) == 0xe0         ? 3
                               : first >= 0xf0 && first <= 0xf4 ? 4
                                                                : 0;
    for (std::size_t k = 1; k < length; ++k) {
        if ((byte(i + k) & 0xc0) != 0x80) return 0;
    }
    const unsigned second = byte(i + 1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second > 0x9f;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

std::string encode(const StoredFile& file) {
    Encoder out;
    out.number(static_cast<std::int64_t>(file.attributes.size()));
    for (const auto& [name, value] : file.attributes) {
        out.text(name);
        out.text(value);
    }
    out.number(static_cast<std::int64_t>(file.contents.size()));
    for (const ColumnFacts& facts : file.contents) {
        out.text(facts.name);
        out.text(facts.dtype);
        out.shape(facts.shape);
    }
    for (const StoredColumn& column : file.columns) {
        out.number(static_cast<std::int64_t>(column.state));
        out.text(column.reason);
        out.number(column.numeric ? 1 : 0);
        out.text(column.dtype);
        out.number(column.item_bytes);
        out.shape(column.shape);
        out.number(column.band_rows);
    }
    return out.take();
}

StoredFile decode(const std::string& bytes) {
    Decoder in(bytes);
    StoredFile file;
    constexpr std::size_t kNumber = sizeof(std::int64_t);
    for (std::size_t n = in.count(2 * kNumber); n > 0; --n) {
        const std::string name = in.text();
        file.attributes[name] = in.text();
    }
    file.contents.resize(in.count(3 * kNumber));
    for (ColumnFacts& facts : file.contents) {
        facts.name = in.text();
        facts.dtype = in.text();
        facts.shape = in.shape();
    }
    for (StoredColumn& column : file.columns) {
        column.state = state_of(in.number());
        column.reason = in.text();
        column.numeric = in.boolean();
        column.dtype = in.text();
        column.item_bytes = in.number();
        column.shape = in.shape();
        column.band_rows = in.number();
        if (column.band_rows < 1 || column.item_bytes < 1) Decoder::nonsense();
    }
    in.finish();
    return file;
}

std::string printable(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text, i);
        const bool control = length == 1 && (text[i] < 0x20 || text[i] == 0x7f);
        // U+0080 to U+009F are controls too.
        const bool control_pair = length == 2 && text[i] == '\xc2' && text[i + 1] < '\xa0';
        if (length == 0 || control || control_pair) {
            out += '?';
        } else {
            out.append(text, i, length);
        }
        i += std::max<std::size_t>(length, 1);
    }
    return out;
}

RowRange share_of(std::int64_t rows, std::int64_t band_rows, int index, int readers) {
    const std::int64_t bands = rows / band_rows + (rows % band_rows != 0);
    const auto start = [&](std::int64_t k) {
        // bands * k would overflow for absurd sizes.
        const std::int64_t band = bands / readers * k + bands % readers * k / readers;
        return band >= bands ? rows : band * band_rows;
    };
    return {start(index), start(index + 1)};
}

}  // namespace drydock::data
