#include "core/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "base/sha256.h"

namespace drydock {
namespace {

const char* file_dtype(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return "F32";
        case DType::f64:
            return "F64";
        case DType::i64:
            return "I64";
        case DType::u64:
            return "U64";
        case DType::u8:
            return "U8";
    }
    return "";
}

template <class T>
TensorData make(DType dtype, std::vector<std::int64_t> shape, std::span<const T> values) {
    TensorData tensor{dtype, std::move(shape), {}};
    if (static_cast<std::size_t>(tensor.size()) != values.size()) {
        throw Error(fmt::format("[safetensors] expected {} values for shape ({}), got {}",
                                tensor.size(), fmt::join(tensor.shape, ", "), values.size()));
    }
    tensor.bytes.resize(values.size_bytes());
    if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
    return tensor;
}

template <class T>
std::vector<T> elements(const TensorData& tensor) {
    std::vector<T> values(tensor.bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
}

template <class T>
std::vector<double> widen(const TensorData& tensor) {
    const std::vector<T> values = elements<T>(tensor);
    std::vector<double> wide(values.size());
    std::transform(values.begin(), values.end(), wide.begin(),
                   [](T x) { return static_cast<double>(x); });
    return wide;
}

template <class T>
std::vector<T> demand(const TensorData& tensor, DType dtype, const std::string& name) {
    if (tensor.dtype != dtype) {
        throw Error(fmt::format("[{}] expected {}, got {}", name, file_dtype(dtype),
                                file_dtype(tensor.dtype)));
    }
    return elements<T>(tensor);
}

std::string decode(const SafetensorsText& text) {
    std::string decoded(text.raw.size(), '\0');
    decoded.resize(text.decode(decoded));
    return decoded;
}

// Names in the order of their data: the widest elements first, so that all lie aligned without
// holes, which the format forbids.
std::vector<const std::pair<const std::string, TensorData>*> data_order(const TensorFile& file) {
    std::vector<const std::pair<const std::string, TensorData>*> order;
    for (const auto& entry : file.tensors) order.push_back(&entry);
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        return size_of(a->second.dtype) > size_of(b->second.dtype);
    });
    return order;
}

// Appends a JSON string.
void append_text(std::string& out, const std::string& text) {
    if (utf8_error(text) != text.size()) {
        throw Error("[safetensors] expected names and metadata in UTF-8, got other bytes");
    }
    out += '"';
    for (const char c : text) {
        constexpr std::string_view kShort = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
        const std::size_t at = kShort.find(c);
        if (at != std::string_view::npos) {
            out += '\\';
            out += kLetters[at];
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    out += '"';
}

void append_metadata(std::string& out, const std::map<std::string, std::string>& metadata) {
    out += "\"__metadata__\":{";
    const char* comma = "";
    for (const auto& [key, value] : metadata) {
        out += std::exchange(comma, ",");
        append_text(out, key);
        out += ':';
        append_text(out, value);
    }
    out += '}';
}

// Where each tensor's data begin, by name.
std::map<std::string_view, std::size_t> offsets_of(const TensorFile& file) {
    std::map<std::string_view, std::size_t> offsets;
    std::size_t at = 0;
    for (const auto* entry : data_order(file)) {
        const TensorData& t = entry->second;
        const std::size_t bytes = static_cast<std::size_t>(t.size()) * size_of(t.dtype);
        if (t.bytes.size() != bytes) {
            throw Error(fmt::format("[{}] expected {} bytes for its shape, got {}", entry->first,
                                    bytes, t.bytes.size()));
        }
        offsets[entry->first] = at;
        at += bytes;
    }
    return offsets;
}

// Members in the order of their names, the metadata among them. Written by hand: a JSON library's
// tree needs memory even to be destroyed, and ends the program where there is none.
std::string header_of(const TensorFile& file) {
    constexpr std::string_view kMetadata = "__metadata__";
    const auto offsets = offsets_of(file);
    std::string text = "{";
    const char* comma = "";
    bool metadata_due = !file.metadata.empty();
    for (const auto& [name, t] : file.tensors) {
        if (metadata_due && name > kMetadata) {
            text += std::exchange(comma, ",");
            append_metadata(text, file.metadata);
            metadata_due = false;
        }
        text += std::exchange(comma, ",");
        append_text(text, name);
        const std::size_t at = offsets.at(name);
        text += fmt::format(R"(:{{"data_offsets":[{},{}],"dtype":"{}","shape":[{}]}})", at,
                            at + t.bytes.size(), file_dtype(t.dtype), fmt::join(t.shape, ","));
    }
    if (metadata_due) {
        text += comma;
        append_metadata(text, file.metadata);
    }
    text += '}';
    text.append((64 - (8 + text.size()) % 64) % 64, ' ');
    return text;
}

// A descriptor that is closed on every way out.
class Descriptor {
  public:
    explicit Descriptor(int file) : file_(file) {}
    ~Descriptor() {
        if (file_ >= 0) ::close(file_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return file_; }

  private:
    int file_;
};

[[noreturn]] void refuse_write(const std::string& path, int error) {
    throw Error(fmt::format("[write] could not write '{}': {}; what was there before is untouched",
                            path, std::strerror(error)),
                ErrorKind::disk);
}

// Writes, syncs and closes; 0 or the errno.
int write_out(int file, std::span<const std::byte> bytes) {
    int error = 0;
    while (!bytes.empty() && error == 0) {
        const ssize_t n = ::write(file, bytes.data(), bytes.size());
        if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
        if (n < 0 && errno != EINTR) error = errno;
    }
    if (error == 0 && ::fsync(file) != 0) error = errno;
    if (::close(file) != 0 && error == 0) error = errno;
    return error;
}

void sync_folder(const std::filesystem::path& folder) {
    const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    ::fsync(file);
    ::close(file);
}

}  // namespace

std::int64_t TensorData::size() const {
    // Without elements the other dimensions may be as large as they like.
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
    std::int64_t n = 1;
    for (const std::int64_t dim : shape) n *= dim;
    return n;
}

std::vector<double> TensorData::to_f64() const {
    switch (dtype) {
        case DType::f32:
            return widen<float>(*this);
        case DType::f64:
            return widen<double>(*this);
        case DType::i64:
            return widen<std::int64_t>(*this);
        case DType::u64:
            return widen<std::uint64_t>(*this);
        case DType::u8:
            return widen<std::uint8_t>(*this);
    }
    return {};
}

std::vector<float> TensorData::f32(const std::string& name) const {
    return demand<float>(*this, DType::f32, name);
}
std::vector<std::int64_t> TensorData::i64(const std::string& name) const {
    return demand<std::int64_t>(*this, DType::i64, name);
}

TensorData TensorData::of(std::vector<std::int64_t> shape, std::span<const float> values) {
    return make(DType::f32, std::move(shape), values);
}
TensorData TensorData::of(std::vector<std::int64_t> shape, std::span<const double> values) {
    return make(DType::f64, std::move(shape), values);
}
TensorData TensorData::of(std::vector<std::int64_t> shape, std::span<const std::int64_t> values) {
    return make(DType::i64, std::move(shape), values);
}
TensorData TensorData::of(std::vector<std::int64_t> shape, std::span<const std::uint64_t> values) {
    return make(DType::u64, std::move(shape), values);
}

const TensorData& TensorFile::tensor(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
        throw Error(fmt::format("[safetensors] expected a tensor '{}', there is none", name));
    }
    return found->second;
}

std::string TensorFile::text(const std::string& key) const {
    const auto found = metadata.find(key);
    return found == metadata.end() ? "" : found->second;
}

TensorFile parse_tensor_file(std::span<const std::byte> bytes, const std::string& name) {
    const std::span<const unsigned char> file(reinterpret_cast<const unsigned char*>(bytes.data()),
                                              bytes.size());
    SafetensorsFile parsed = read_safetensors(file, {}, {});
    std::vector<SafetensorsTensor> tensors(parsed.tensor_count);
    std::vector<SafetensorsMetadata> metadata(parsed.metadata_count);
    if (parsed.status == SafetensorsStatus::no_room) {
        parsed = read_safetensors(file, tensors, metadata);
    }
    if (parsed.status != SafetensorsStatus::ok) {
        throw Error(
            fmt::format("[safetensors] '{}' is not a valid safetensors file: {} (at byte {} "
                        "of {})",
                        name, text_of(parsed.status), parsed.problem_offset, bytes.size()));
    }
    TensorFile out;
    for (const SafetensorsMetadata& m : parsed.metadata)
        out.metadata[decode(m.key)] = decode(m.value);
    for (const SafetensorsTensor& t : parsed.tensors) {
        TensorData data;
        if (!to_dtype(t.dtype, data.dtype)) {
            throw Error(
                fmt::format("[safetensors] '{}': expected F32, F64, I64, U64 or U8 for '{}', "
                            "got {}",
                            name, decode(t.name), name_of(t.dtype)));
        }
        for (const std::uint64_t dim : std::span(t.shape).first(t.rank)) {
            data.shape.push_back(static_cast<std::int64_t>(dim));
            if (data.shape.back() >= 0) continue;
            throw Error(
                fmt::format("[safetensors] '{}': expected dimensions below 2^63 for '{}', got {}",
                            name, decode(t.name), dim));
        }
        const auto* first = reinterpret_cast<const std::byte*>(parsed.data_of(t));
        data.bytes.assign(first, first + (t.end - t.begin));
        out.tensors[decode(t.name)] = std::move(data);
    }
    return out;
}

TensorFile read_tensor_file(const std::string& path) {
    return parse_tensor_file(read_bytes(path), path);
}

std::vector<std::byte> serialize(const TensorFile& file) {
    const std::string header = header_of(file);
    std::vector<std::byte> bytes(8 + header.size());
    const std::uint64_t n = header.size();
    std::memcpy(bytes.data(), &n, sizeof n);
    std::memcpy(bytes.data() + 8, header.data(), header.size());
    for (const auto* entry : data_order(file)) {
        bytes.insert(bytes.end(), entry->second.bytes.begin(), entry->second.bytes.end());
    }
    return bytes;
}

void write_tensor_file(const std::string& path, const TensorFile& file) {
    write_atomically(path, serialize(file));
}

std::string sha256_of_data(const TensorFile& file) {
    Sha256 sha;
    for (const auto* entry : data_order(file)) {
        sha.update(entry->second.bytes.data(), entry->second.bytes.size());
    }
    char text[Sha256::kHexLength + 1];
    sha.finish_hex(text);
    return text;
}

std::vector<std::byte> read_bytes(const std::string& path) {
    const auto fail = [&](int error) {
        throw Error(fmt::format("[read] could not read '{}': {}", path, std::strerror(error)));
    };
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) fail(errno);
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0) fail(errno);
    if (!S_ISREG(facts.st_mode)) fail(S_ISDIR(facts.st_mode) ? EISDIR : EINVAL);
    std::vector<std::byte> bytes(static_cast<std::size_t>(facts.st_size));
    std::size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t n = ::read(file.get(), bytes.data() + at, bytes.size() - at);
        if (n > 0) at += static_cast<std::size_t>(n);
        if (n == 0) bytes.resize(at);  // the file shrank meanwhile
        if (n < 0 && errno != EINTR) fail(errno);
    }
    return bytes;
}

void write_atomically(const std::string& path, std::span<const std::byte> bytes) {
    static std::atomic<unsigned> count{0};
    struct stat facts {};
    // A rename would put a plain file in the place of a device or a pipe.
    if (::stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
        refuse_write(path, S_ISDIR(facts.st_mode) ? EISDIR : EINVAL);
    }
    const std::string temporary = fmt::format("{}.{}.{}.part", path, ::getpid(), count++);
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    // From here to the end nothing is allocated but the text of a refusal.
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) refuse_write(path, errno);
    int error = write_out(file, bytes);
    if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
    if (error != 0) {
        ::unlink(temporary.c_str());
        refuse_write(path, error);
    }
    sync_folder(folder);
}

}  // namespace drydock
