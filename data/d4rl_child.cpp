#include "data/d4rl_child.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/hdf5.h"

namespace drydock::data {
namespace {

using Shape = std::vector<std::int64_t>;

constexpr std::size_t kMostContents = 100000;      // listed
constexpr std::size_t kMostText = 1 << 16;         // of an attribute
constexpr std::int64_t kBlockBytes = 1 << 20;      // of a message
constexpr std::int64_t kMostBlockBytes = 1 << 22;  // where a chunk wants more than kBlockBytes

hdf5::File open_file(const std::string& path) {
    if (H5Fis_hdf5(path.c_str()) <= 0) {
        throw Error(
            "expected an HDF5 file, got one without HDF5's signature; is the download "
            "complete, and is it not an archive or a web page?");
    }
    hdf5::File file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
    if (!file) {
        const std::string reason = hdf5::last_error();
        if (reason.find("unable to lock file") != std::string::npos) {
            throw Error(
                fmt::format("expected a file that nobody writes to, got a locked one ({}); "
                            "close the program that has it open for writing, or set "
                            "HDF5_USE_FILE_LOCKING=FALSE where its file system has no locks",
                            reason));
        }
        throw Error(
            fmt::format("expected a whole HDF5 file, got one that does not open: {}; fetch "
                        "it again",
                        reason));
    }
    return file;
}

bool is_boolean(hid_t type) {
    return H5Tget_class(type) == H5T_ENUM && H5Tget_nmembers(type) == 2 && H5Tget_size(type) == 1;
}

std::string dtype_name(hid_t type) {
    const std::size_t bits = 8 * H5Tget_size(type);
    switch (H5Tget_class(type)) {
        case H5T_FLOAT:
            return fmt::format("float{}", bits);
        case H5T_INTEGER:
            return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
        case H5T_ENUM:
            return is_boolean(type) ? "bool" : "enum";
        case H5T_STRING:
            return "string";
        case H5T_COMPOUND:
            return "compound";
        case H5T_BITFIELD:
            return fmt::format("bitfield{}", bits);
        default:
            return "other";
    }
}

bool is_numeric(hid_t type) {
    const H5T_class_t kind = H5Tget_class(type);
    return kind == H5T_FLOAT || kind == H5T_INTEGER || kind == H5T_ENUM;
}

Shape shape_of(hid_t set) {
    const hdf5::Space space(H5Dget_space(set));
    const int rank = H5Sget_simple_extent_ndims(space.get());
    std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(rank, 0)));
    if (rank > 0) H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
    return {dims.begin(), dims.end()};
}

// Whether values lie in other files, which are not opened: asking a virtual array for its shape
// can already do that.
bool lies_elsewhere(hid_t layout) {
    return H5Pget_layout(layout) == H5D_VIRTUAL || H5Pget_external_count(layout) > 0;
}

// Callback of H5Ovisit: exceptions must not pass through the library, so one ends the process.
herr_t list_dataset(hid_t file, const char* name, const H5O_info_t* info, void* out) noexcept {
    if (info->type != H5O_TYPE_DATASET) return 0;
    auto& contents = *static_cast<std::vector<ColumnFacts>*>(out);
    if (contents.size() == kMostContents) return 1;
    const hdf5::Set set(H5Dopen2(file, name, H5P_DEFAULT));
    if (!set) return 0;
    const hdf5::Type type(H5Dget_type(set.get()));
    const hdf5::Properties layout(H5Dget_create_plist(set.get()));
    if (lies_elsewhere(layout.get())) {
        contents.push_back({name, "external", {}, false});
    } else {
        contents.push_back({name, dtype_name(type.get()), shape_of(set.get()), false});
    }
    return 0;
}

std::vector<ColumnFacts> list_contents(hid_t file) {
    std::vector<ColumnFacts> contents;
    if (H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, list_dataset, &contents) < 0) {
        throw Error(
            fmt::format("expected a readable table of contents, got \"{}\"; the file is "
                        "damaged",
                        hdf5::last_error()));
    }
    std::sort(contents.begin(), contents.end(),
              [](const ColumnFacts& a, const ColumnFacts& b) { return a.name < b.name; });
    return contents;
}

std::string read_string(hid_t attribute, hid_t type) {
    if (H5Tis_variable_str(type) > 0) {
        const hdf5::Type memory(H5Tcopy(type));
        char* text = nullptr;
        if (H5Aread(attribute, memory.get(), &text) < 0 || text == nullptr) return "";
        std::string result(text, strnlen(text, kMostText));
        H5free_memory(text);
        return result;
    }
    const std::size_t size = H5Tget_size(type);
    if (size > kMostText) return fmt::format("(text of {} bytes)", size);
    std::string result(size, '\0');
    if (H5Aread(attribute, type, result.data()) < 0) return "";
    return result.substr(0, result.find('\0'));
}

template <class T>
std::string read_number(hid_t attribute, hid_t memory) {
    T value{};
    return H5Aread(attribute, memory, &value) < 0 ? "" : fmt::format("{}", value);
}

// Scalars become text; attributes of other kinds are left out.
herr_t list_attribute(hid_t file, const char* name, const H5A_info_t*, void* out) noexcept {
    const hdf5::Attribute attribute(H5Aopen(file, name, H5P_DEFAULT));
    if (!attribute) return 0;
    const hdf5::Space space(H5Aget_space(attribute.get()));
    if (H5Sget_simple_extent_npoints(space.get()) != 1) return 0;
    const hdf5::Type type(H5Aget_type(attribute.get()));
    auto& attributes = *static_cast<std::map<std::string, std::string>*>(out);
    switch (H5Tget_class(type.get())) {
        case H5T_STRING:
            attributes[name] = read_string(attribute.get(), type.get());
            break;
        case H5T_FLOAT:
            attributes[name] = read_number<double>(attribute.get(), H5T_NATIVE_DOUBLE);
            break;
        case H5T_INTEGER:
            attributes[name] = read_number<std::int64_t>(attribute.get(), H5T_NATIVE_INT64);
            break;
        case H5T_ENUM:
            attributes[name] = read_number<int>(attribute.get(), H5T_NATIVE_INT);
            break;
        default:
            break;
    }
    return 0;
}

// An array under a column's name.
struct OpenColumn {
    hdf5::Set set;
    StoredColumn stored;
    std::uint64_t band_bytes = 0;   // of the chunks that hold a row, decoded
    std::uint64_t chunk_bytes = 0;  // of one of them
};

// Fills in what a chunked layout means for reading rows.
void measure_chunks(hid_t layout, std::size_t item_bytes, OpenColumn& column) {
    const Shape& shape = column.stored.shape;
    if (H5Pget_layout(layout) != H5D_CHUNKED || shape.empty() || shape.size() > 2) return;
    hsize_t chunk[2] = {1, 1};
    if (H5Pget_chunk(layout, 2, chunk) != static_cast<int>(shape.size())) return;
    if (chunk[0] == 0 || chunk[1] == 0) return;
    const auto width = static_cast<std::uint64_t>(std::max<std::int64_t>(column.stored.width(), 1));
    // The format keeps each side of a chunk and its bytes below 2^32.
    const std::uint64_t across = (width - 1) / chunk[1] + 1;
    column.chunk_bytes = chunk[0] * chunk[1] * item_bytes;
    column.band_bytes = across * column.chunk_bytes;
    column.stored.band_rows = static_cast<std::int64_t>(chunk[0]);
}

OpenColumn open_column(hid_t file, const char* name, hid_t access) {
    using State = StoredColumn::State;
    OpenColumn column;
    StoredColumn& stored = column.stored;
    // An optional column that cannot be looked for is not one that is absent.
    const htri_t exists = H5Lexists(file, name, H5P_DEFAULT);
    if (exists == 0) return column;
    if (exists > 0) column.set = hdf5::Set(H5Dopen2(file, name, access));
    if (!column.set) {
        stored.state = State::unreadable;
        stored.reason = fmt::format("something that does not open as one: {}", hdf5::last_error());
        return column;
    }
    const hdf5::Properties layout(H5Dget_create_plist(column.set.get()));
    if (lies_elsewhere(layout.get())) {
        stored.state = State::unreadable;
        stored.reason =
            "one whose values lie in other files, which are not opened; copy them into one file";
        return column;
    }
    const hdf5::Type type(H5Dget_type(column.set.get()));
    stored.state = State::array;
    stored.numeric = is_numeric(type.get());
    stored.dtype = dtype_name(type.get());
    stored.item_bytes =
        std::max<std::int64_t>(static_cast<std::int64_t>(H5Tget_size(type.get())), 1);
    stored.shape = shape_of(column.set.get());
    measure_chunks(layout.get(), H5Tget_size(type.get()), column);
    return column;
}

// What the receiver checks as well; it has the words.
bool sendable(const StoredColumn& c) {
    return c.state == StoredColumn::State::array && c.numeric &&
           (c.shape.size() == 1 || c.shape.size() == 2) && c.shape[0] > 0 && c.width() > 0 &&
           c.width() < std::int64_t{1} << 32;
}

// Sends one column's share of rows.
class ColumnSender {
  public:
    ColumnSender(hid_t file, std::uint32_t column, const ReadingTask& task, ChildChannel& channel)
        : index_(column), name_(kColumnNames[column]), channel_(channel) {
        column_ = open_column(file, name_, H5P_DEFAULT);
        if (!sendable(column_.stored)) return;
        rows_ =
            share_of(column_.stored.shape[0], column_.stored.band_rows, task.reader, task.readers);
        choose_block(file);
    }

    void send_rows() {
        std::vector<float> block;
        for (std::int64_t first = rows_.first; first < rows_.last_exclusive;) {
            const std::int64_t count = std::min(block_rows_, rows_.last_exclusive - first);
            block.resize(static_cast<std::size_t>(count * column_.stored.width()));
            read(first, count, block.data());
            send(channel_, {MessageKind::block, index_, first, count, block.size() * sizeof(float)},
                 block.data());
            first += count;
        }
    }

  private:
    // Whole bands where they are small. A band beyond that must stay in the library's cache, or
    // each block would decode it anew.
    void choose_block(hid_t file) {
        const std::int64_t row_bytes = 4 * column_.stored.width();
        const std::int64_t band_rows = column_.stored.band_rows;
        channel_.allow_memory(channel_.limits().memory + column_.band_bytes +
                              4 * column_.chunk_bytes);
        if (band_rows <= kMostBlockBytes / row_bytes) {
            block_rows_ =
                band_rows * std::max<std::int64_t>(kBlockBytes / (band_rows * row_bytes), 1);
            return;
        }
        block_rows_ = std::max<std::int64_t>(kBlockBytes / row_bytes, 1);
        const hdf5::Properties access(H5Pcreate(H5P_DATASET_ACCESS));
        H5Pset_chunk_cache(access.get(), H5D_CHUNK_CACHE_NSLOTS_DEFAULT,
                           column_.band_bytes + column_.chunk_bytes, 1.0);
        column_.set.close();
        column_ = open_column(file, name_, access.get());
        if (!column_.set) damaged();
    }

    void read(std::int64_t first, std::int64_t count, float* out) const {
        const int rank = static_cast<int>(column_.stored.shape.size());
        const hsize_t start[2] = {static_cast<hsize_t>(first), 0};
        const hsize_t extent[2] = {static_cast<hsize_t>(count),
                                   static_cast<hsize_t>(column_.stored.width())};
        const hid_t set = column_.set.get();
        const hdf5::Space source(H5Dget_space(set));
        const hdf5::Space target(H5Screate_simple(rank, extent, nullptr));
        if (H5Sselect_hyperslab(source.get(), H5S_SELECT_SET, start, nullptr, extent, nullptr) <
                0 ||
            H5Dread(set, H5T_NATIVE_FLOAT, target.get(), source.get(), H5P_DEFAULT, out) < 0) {
            damaged();
        }
    }

    [[noreturn]] void damaged() const {
        throw Error(
            fmt::format("expected {} ({}) to be readable, got \"{}\"; the file is damaged, "
                        "fetch it again",
                        name_, column_.stored.dtype, hdf5::last_error()));
    }

    std::uint32_t index_;
    const char* name_;
    ChildChannel& channel_;
    OpenColumn column_;
    RowRange rows_;
    std::int64_t block_rows_ = 1;
};

void send_facts(hid_t file, ChildChannel& channel) {
    StoredFile facts;
    facts.contents = list_contents(file);
    H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, list_attribute, &facts.attributes);
    for (std::size_t c = 0; c < kColumns; ++c) {
        facts.columns[c] = open_column(file, kColumnNames[c], H5P_DEFAULT).stored;
    }
    const std::string bytes = encode(facts);
    send(channel, {MessageKind::facts, 0, 0, 0, bytes.size()}, bytes.data());
}

void read_columns(const ReadingTask& task, ChildChannel& channel) {
    // Nothing but this file: no links into others, no plugins.
    H5Lunregister(H5L_TYPE_EXTERNAL);
    H5PLset_loading_state(0);
    const hdf5::File file = open_file(task.path);
    channel.forbid_opening();
    if (task.reader == 0) send_facts(file.get(), channel);
    for (std::uint32_t c = 0; c < kColumns; ++c) {
        if (task.wanted[c]) ColumnSender(file.get(), c, task, channel).send_rows();
    }
    send(channel, {}, nullptr);
}

}  // namespace

void send(ChildChannel& channel, const Head& head, const void* payload) {
    channel.send(&head, sizeof head, payload, static_cast<std::size_t>(head.bytes));
}

void read_in_child(const ReadingTask& task, ChildChannel& channel) {
    std::string text;
    try {
        read_columns(task, channel);
        return;
    } catch (const Error& error) {
        text = error.what();
    } catch (const std::bad_alloc&) {
        text =
            "expected a file that reads within its own size, got one that asks for more "
            "memory; it is damaged, fetch it again";
    }
    send(channel, {MessageKind::error, 0, 0, 0, text.size()}, text.data());
}

}  // namespace drydock::data
