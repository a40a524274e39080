// Any bytes through the strict reader and through parse_tensor_file. What is accepted must survive
// being written and read again.
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "core/safetensors.h"
#include "tests/fuzz/fuzz.h"

namespace drydock::fuzz {
namespace {

std::string decode(const SafetensorsText& text) {
    std::string decoded(text.raw.size(), '\0');
    decoded.resize(text.decode(decoded));
    return decoded;
}

void check_tensors(const SafetensorsFile& file) {
    std::string last;
    bool first = true;
    for (const SafetensorsTensor& t : file.tensors) {
        expect(t.rank <= kSafetensorsMaxRank, "a rank is within the limit");
        expect(t.begin <= t.end && t.end <= file.data.size(), "a tensor lies within the data");
        const std::string name = decode(t.name);
        expect(name.size() <= t.name.raw.size(), "a decoded name is no longer than its text");
        expect(first || last < name, "names are sorted and differ");
        expect(file.find(name) == &t, "a tensor is found by its name");
        expect(utf8_error(name) == name.size(), "names are UTF-8");
        last = name;
        first = false;
    }
    for (const SafetensorsMetadata& m : file.metadata) {
        const SafetensorsText* found = file.find_metadata(decode(m.key));
        expect(found && found->raw.data() == m.value.raw.data(), "metadata are found by key");
    }
}

void check_strict_reader(Bytes input) {
    SafetensorsFile file = read_safetensors(input, {}, {});
    std::vector<SafetensorsTensor> tensors(file.tensor_count);
    std::vector<SafetensorsMetadata> metadata(file.metadata_count);
    if (file.status == SafetensorsStatus::no_room) {
        file = read_safetensors(input, tensors, metadata);
        expect(file.status != SafetensorsStatus::no_room, "the counts say how much room is needed");
    }
    if (file.status == SafetensorsStatus::ok) {
        check_tensors(file);
    } else {
        expect(file.problem_offset <= input.size(), "a refusal points into the file");
    }
}

bool same(const TensorFile& a, const TensorFile& b) {
    if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
    for (const auto& [name, t] : a.tensors) {
        const auto found = b.tensors.find(name);
        if (found == b.tensors.end() || found->second.dtype != t.dtype ||
            found->second.shape != t.shape || found->second.bytes != t.bytes) {
            return false;
        }
    }
    return true;
}

}  // namespace

void run(Bytes input) {
    check_strict_reader(input);
    TensorFile file;
    try {
        file = parse_tensor_file(bytes_of(input), "input");
    } catch (const Error&) {
        return;
    }
    for (const auto& [name, t] : file.tensors) {
        expect(static_cast<std::size_t>(t.size()) * size_of(t.dtype) == t.bytes.size(),
               "a shape is as large as its bytes");
        expect(t.to_f64().size() == static_cast<std::size_t>(t.size()),
               "to_f64 gives every element");
    }
    const std::vector<std::byte> bytes = serialize(file);
    const TensorFile again = parse_tensor_file(bytes, "written");
    expect(same(file, again), "what was written is read back");
    expect(serialize(again) == bytes, "equal contents give equal bytes");
    expect(sha256_of_data(file) == sha256_of_data(again), "equal contents have equal checksums");
}

}  // namespace drydock::fuzz
