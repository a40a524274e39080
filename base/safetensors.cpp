#include "base/safetensors.h"

#include <algorithm>

#include "base/json.h"

namespace drydock {
namespace {

struct DTypeRow {
    SafetensorsDType dtype;
    std::string_view name;
    std::size_t size;
};
constexpr DTypeRow kDTypes[] = {
    {SafetensorsDType::boolean, "BOOL", 1}, {SafetensorsDType::u8, "U8", 1},
    {SafetensorsDType::i8, "I8", 1},        {SafetensorsDType::i16, "I16", 2},
    {SafetensorsDType::u16, "U16", 2},      {SafetensorsDType::f16, "F16", 2},
    {SafetensorsDType::bf16, "BF16", 2},    {SafetensorsDType::i32, "I32", 4},
    {SafetensorsDType::u32, "U32", 4},      {SafetensorsDType::f32, "F32", 4},
    {SafetensorsDType::i64, "I64", 8},      {SafetensorsDType::u64, "U64", 8},
    {SafetensorsDType::f64, "F64", 8},
};

const DTypeRow& row_of(SafetensorsDType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

static_assert(
    [] {
        for (std::size_t i = 0; i < std::size(kDTypes); ++i) {
            if (static_cast<std::size_t>(kDTypes[i].dtype) != i) {
                return false;
            }
        }
        return true;
    }(),
    "row_of takes the table to be in the order of the enumeration");

// Reads a header into the caller's arrays; counts go on when those are full.
class HeaderReader {
  public:
    HeaderReader(std::string_view text, std::span<SafetensorsTensor> tensors,
                 std::span<SafetensorsMetadata> metadata)
        : json_(text), tensors_(tensors), metadata_(metadata) {}

    SafetensorsStatus read();

    std::size_t position() const { return json_.position(); }
    std::size_t tensor_count() const { return tensor_count_; }
    std::size_t metadata_count() const { return metadata_count_; }

  private:
    SafetensorsStatus read_metadata();
    SafetensorsStatus read_tensor(SafetensorsText name);
    SafetensorsStatus read_member(SafetensorsTensor& tensor, unsigned& seen);
    SafetensorsStatus read_dtype(SafetensorsTensor& tensor);
    SafetensorsStatus read_shape(SafetensorsTensor& tensor);
    SafetensorsStatus read_offsets(SafetensorsTensor& tensor);

    JsonScanner json_;
    std::span<SafetensorsTensor> tensors_;
    std::span<SafetensorsMetadata> metadata_;
    std::size_t tensor_count_ = 0, metadata_count_ = 0;
    bool has_metadata_ = false;
};

SafetensorsStatus HeaderReader::read() {
    if (!json_.take('{')) {
        return SafetensorsStatus::bad_json;
    }
    if (json_.take('}')) {
        return SafetensorsStatus::ok;
    }
    do {
        SafetensorsText name;
        if (!json_.string(name.raw) || !json_.take(':')) {
            return SafetensorsStatus::bad_json;
        }
        const SafetensorsStatus status =
            name.is("__metadata__") ? read_metadata() : read_tensor(name);
        if (status != SafetensorsStatus::ok) {
            return status;
        }
    } while (json_.take(','));
    return json_.take('}') ? SafetensorsStatus::ok : SafetensorsStatus::bad_json;
}

SafetensorsStatus HeaderReader::read_metadata() {
    if (has_metadata_) {
        return SafetensorsStatus::duplicate_name;
    }
    has_metadata_ = true;
    if (!json_.take('{')) {
        return SafetensorsStatus::bad_metadata;
    }
    if (json_.take('}')) {
        return SafetensorsStatus::ok;
    }
    do {
        SafetensorsMetadata entry;
        if (!json_.string(entry.key.raw) || !json_.take(':') || !json_.string(entry.value.raw)) {
            return SafetensorsStatus::bad_metadata;
        }
        if (metadata_count_ < metadata_.size()) {
            metadata_[metadata_count_] = entry;
        }
        ++metadata_count_;
    } while (json_.take(','));
    return json_.take('}') ? SafetensorsStatus::ok : SafetensorsStatus::bad_metadata;
}

SafetensorsStatus HeaderReader::read_tensor(SafetensorsText name) {
    SafetensorsTensor tensor{};
    tensor.name = name;
    unsigned seen = 0;
    if (!json_.take('{')) {
        return SafetensorsStatus::bad_json;
    }
    do {
        const SafetensorsStatus status = read_member(tensor, seen);
        if (status != SafetensorsStatus::ok) {
            return status;
        }
    } while (json_.take(','));
    if (!json_.take('}') || seen != 7) {
        return SafetensorsStatus::bad_json;
    }
    std::uint64_t bytes = size_of(tensor.dtype);
    for (std::uint32_t i = 0; i < tensor.rank; ++i) {
        if (__builtin_mul_overflow(bytes, tensor.shape[i], &bytes)) {
            return SafetensorsStatus::size_overflow;
        }
    }
    if (tensor.end < tensor.begin || tensor.end - tensor.begin != bytes) {
        return SafetensorsStatus::size_mismatch;
    }
    if (tensor_count_ < tensors_.size()) {
        tensors_[tensor_count_] = tensor;
    }
    ++tensor_count_;
    return SafetensorsStatus::ok;
}

SafetensorsStatus HeaderReader::read_member(SafetensorsTensor& tensor, unsigned& seen) {
    SafetensorsText key;
    if (!json_.string(key.raw) || !json_.take(':')) {
        return SafetensorsStatus::bad_json;
    }
    const unsigned bit = key.is("dtype") ? 1 : key.is("shape") ? 2 : key.is("data_offsets") ? 4 : 0;
    if (bit == 0 || (seen & bit) != 0) {
        return SafetensorsStatus::bad_json;
    }
    seen |= bit;
    return bit == 1 ? read_dtype(tensor) : bit == 2 ? read_shape(tensor) : read_offsets(tensor);
}

SafetensorsStatus HeaderReader::read_dtype(SafetensorsTensor& tensor) {
    SafetensorsText name;
    if (!json_.string(name.raw)) {
        return SafetensorsStatus::bad_json;
    }
    for (const DTypeRow& row : kDTypes) {
        if (name.is(row.name)) {
            tensor.dtype = row.dtype;
            return SafetensorsStatus::ok;
        }
    }
    return SafetensorsStatus::unknown_dtype;
}

SafetensorsStatus HeaderReader::read_shape(SafetensorsTensor& tensor) {
    if (!json_.take('[')) {
        return SafetensorsStatus::bad_json;
    }
    if (json_.take(']')) {
        return SafetensorsStatus::ok;
    }
    do {
        if (tensor.rank == kSafetensorsMaxRank) {
            return SafetensorsStatus::too_many_dims;
        }
        if (!json_.natural(tensor.shape[tensor.rank])) {
            return SafetensorsStatus::bad_json;
        }
        ++tensor.rank;
    } while (json_.take(','));
    return json_.take(']') ? SafetensorsStatus::ok : SafetensorsStatus::bad_json;
}

SafetensorsStatus HeaderReader::read_offsets(SafetensorsTensor& tensor) {
    const bool good = json_.take('[') && json_.natural(tensor.begin) && json_.take(',') &&
                      json_.natural(tensor.end) && json_.take(']');
    return good ? SafetensorsStatus::ok : SafetensorsStatus::bad_json;
}

std::uint64_t read_little_endian(const unsigned char* p) {
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i) {
        value = value << 8 | p[i];
    }
    return value;
}

// The file's offset of a view into it.
std::uint64_t offset_of(std::span<const unsigned char> file, std::string_view part) {
    return static_cast<std::uint64_t>(part.data() - reinterpret_cast<const char*>(file.data()));
}

// Tensors must follow one another from 0 to the end of the data.
SafetensorsStatus check_layout(SafetensorsFile& file, std::span<const unsigned char> bytes,
                               std::span<SafetensorsTensor> tensors) {
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::uint64_t end = 0;
    for (const SafetensorsTensor& tensor : tensors) {
        if (tensor.begin != end) {
            file.problem_offset = offset_of(bytes, tensor.name.raw);
            return SafetensorsStatus::bad_offsets;
        }
        end = tensor.end;
    }
    file.problem_offset = bytes.size();
    return end == file.data.size() ? SafetensorsStatus::ok : SafetensorsStatus::data_size_mismatch;
}

// Sorts by decoded name; says false when two names are equal, and where the second stands.
template <class T, class Name>
bool sort_by_name(std::span<T> items, Name name, std::string_view& duplicate) {
    std::sort(items.begin(), items.end(), [&](const T& a, const T& b) {
        return compare_json_strings(name(a).raw, name(b).raw) < 0;
    });
    for (std::size_t i = 1; i < items.size(); ++i) {
        const std::string_view a = name(items[i - 1]).raw, b = name(items[i]).raw;
        if (compare_json_strings(a, b) == 0) {
            duplicate = a.data() > b.data() ? a : b;
            return false;
        }
    }
    return true;
}

// Whether `text` decodes to something before, at or after `plain`.
int compare_with_plain(SafetensorsText text, std::string_view plain) {
    JsonDecoder decoder(text.raw);
    char bytes[4];
    std::size_t at = 0;
    while (const std::size_t n = decoder.next(bytes)) {
        for (std::size_t i = 0; i < n; ++i, ++at) {
            if (at == plain.size()) {
                return 1;
            }
            const int difference =
                static_cast<unsigned char>(bytes[i]) - static_cast<unsigned char>(plain[at]);
            if (difference != 0) {
                return difference;
            }
        }
    }
    return at == plain.size() ? 0 : -1;
}

template <class T, class Name>
const T* find_by_name(std::span<const T> items, Name name, std::string_view wanted) {
    std::size_t first = 0, last = items.size();
    while (first < last) {
        const std::size_t middle = first + (last - first) / 2;
        const int order = compare_with_plain(name(items[middle]), wanted);
        if (order == 0) {
            return &items[middle];
        }
        (order < 0 ? first : last) = order < 0 ? middle + 1 : middle;
    }
    return nullptr;
}

constexpr auto kTensorName = [](const SafetensorsTensor& t) { return t.name; };
constexpr auto kMetadataKey = [](const SafetensorsMetadata& m) { return m.key; };

// Cuts the file into header and data. Sets problem_offset where it refuses.
SafetensorsStatus split(std::span<const unsigned char> bytes, SafetensorsFile& file,
                        std::string_view& header) {
    if (bytes.size() < 8) {
        file.problem_offset = bytes.size();
        return SafetensorsStatus::too_short;
    }
    const std::uint64_t length = read_little_endian(bytes.data());
    if (length > kSafetensorsMaxHeader) {
        return SafetensorsStatus::header_too_long;
    }
    if (length > bytes.size() - 8) {
        file.problem_offset = bytes.size();
        return SafetensorsStatus::header_truncated;
    }
    const auto n = static_cast<std::size_t>(length);
    header = {reinterpret_cast<const char*>(bytes.data()) + 8, n};
    file.data = {bytes.data() + 8 + n, bytes.size() - 8 - n};
    file.problem_offset = 8;
    if (n == 0 || header[0] != '{') {
        return SafetensorsStatus::bad_json;
    }
    const std::size_t error = utf8_error(header);
    file.problem_offset = 8 + error;
    if (error != n) {
        return SafetensorsStatus::bad_utf8;
    }
    while (header.back() == ' ') {
        header.remove_suffix(1);
    }
    return SafetensorsStatus::ok;
}

}  // namespace

const char* text_of(SafetensorsStatus status) {
    switch (status) {
        case SafetensorsStatus::ok:
            return "a valid safetensors file";
        case SafetensorsStatus::too_short:
            return "the file is shorter than 8 bytes";
        case SafetensorsStatus::header_too_long:
            return "the header's length is above 100,000,000: not a safetensors file";
        case SafetensorsStatus::header_truncated:
            return "the file ends within its header";
        case SafetensorsStatus::bad_utf8:
            return "the header is not valid UTF-8";
        case SafetensorsStatus::bad_json:
            return "the header is not the JSON object that safetensors asks for";
        case SafetensorsStatus::bad_metadata:
            return "__metadata__ is not a map of strings";
        case SafetensorsStatus::duplicate_name:
            return "a name occurs twice in the header";
        case SafetensorsStatus::unknown_dtype:
            return "a tensor has an unknown element type";
        case SafetensorsStatus::too_many_dims:
            return "a tensor has more than 8 dimensions";
        case SafetensorsStatus::size_overflow:
            return "a tensor's size does not fit 64 bits";
        case SafetensorsStatus::size_mismatch:
            return "a tensor's data_offsets and shape disagree";
        case SafetensorsStatus::bad_offsets:
            return "the tensors' data leave a hole, overlap or do not begin at 0";
        case SafetensorsStatus::data_size_mismatch:
            return "the file is longer or shorter than its tensors: truncated, or with a tail";
        case SafetensorsStatus::no_room:
            return "the file has more tensors or metadata than the reader was given room for";
    }
    return "unknown status";
}

std::size_t size_of(SafetensorsDType dtype) { return row_of(dtype).size; }

const char* name_of(SafetensorsDType dtype) { return row_of(dtype).name.data(); }

bool to_dtype(SafetensorsDType from, DType& to) {
    switch (from) {
        case SafetensorsDType::f32:
            to = DType::f32;
            return true;
        case SafetensorsDType::f64:
            to = DType::f64;
            return true;
        case SafetensorsDType::i64:
            to = DType::i64;
            return true;
        case SafetensorsDType::u64:
            to = DType::u64;
            return true;
        case SafetensorsDType::u8:
            to = DType::u8;
            return true;
        default:
            return false;
    }
}

bool SafetensorsText::is(std::string_view text) const {
    return compare_with_plain(*this, text) == 0;
}

std::size_t SafetensorsText::decode(std::span<char> out) const {
    return decode_json_string(raw, out);
}

const SafetensorsTensor* SafetensorsFile::find(std::string_view name) const {
    return find_by_name(tensors, kTensorName, name);
}

const SafetensorsText* SafetensorsFile::find_metadata(std::string_view key) const {
    const SafetensorsMetadata* entry = find_by_name(metadata, kMetadataKey, key);
    return entry == nullptr ? nullptr : &entry->value;
}

SafetensorsFile read_safetensors(std::span<const unsigned char> bytes,
                                 std::span<SafetensorsTensor> tensors,
                                 std::span<SafetensorsMetadata> metadata) {
    SafetensorsFile file{};
    std::string_view header;
    file.status = split(bytes, file, header);
    if (file.status != SafetensorsStatus::ok) {
        return file;
    }
    HeaderReader reader(header, tensors, metadata);
    file.status = reader.read();
    file.problem_offset = 8 + reader.position();
    if (file.status == SafetensorsStatus::ok && reader.position() != header.size()) {
        file.status = SafetensorsStatus::bad_json;
    }
    if (file.status != SafetensorsStatus::ok) {
        return file;
    }
    file.tensor_count = reader.tensor_count();
    file.metadata_count = reader.metadata_count();
    if (file.tensor_count > tensors.size() || file.metadata_count > metadata.size()) {
        file.status = SafetensorsStatus::no_room;
        return file;
    }
    // `first` would do, but in debug builds of the standard library it may abort.
    tensors = {tensors.data(), file.tensor_count};
    metadata = {metadata.data(), file.metadata_count};
    file.status = check_layout(file, bytes, tensors);
    if (file.status != SafetensorsStatus::ok) {
        return file;
    }
    std::string_view duplicate;
    if (!sort_by_name(tensors, kTensorName, duplicate) ||
        !sort_by_name(metadata, kMetadataKey, duplicate)) {
        file.status = SafetensorsStatus::duplicate_name;
        file.problem_offset = offset_of(bytes, duplicate);
        return file;
    }
    file.problem_offset = 0;
    file.tensors = tensors;
    file.metadata = metadata;
    return file;
}

}  // namespace drydock
