// How libFuzzer changes a safetensors file: its header and its data apart, with the length before
// them put right, since most changes of the whole would only break the length. A checksum in the
// metadata is made to fit, for otherwise no change of the data would come past it.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "tests/fuzz/fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t room);

namespace {

constexpr std::size_t kLengthBytes = 8;

// A part of the input, changed by libFuzzer within `room` bytes.
std::vector<std::uint8_t> mutate(std::span<const std::uint8_t> part, std::size_t room) {
    std::vector<std::uint8_t> changed(part.begin(), part.end());
    changed.resize(std::max(room, part.size()));
    changed.resize(LLVMFuzzerMutate(changed.data(), part.size(), changed.size()));
    return changed;
}

void fit_checksum(std::vector<std::uint8_t>& header, std::span<const std::uint8_t> data) {
    const std::string key = "\"sha256_data\":\"";
    const auto found = std::search(header.begin(), header.end(), key.begin(), key.end());
    const auto room = static_cast<std::size_t>(header.end() - found);
    if (room < key.size() + drydock::Sha256::kHexLength) return;
    drydock::Sha256 sha;
    sha.update(data.data(), data.size());
    char text[drydock::Sha256::kHexLength + 1];
    sha.finish_hex(text);
    std::copy_n(text, drydock::Sha256::kHexLength, found + static_cast<long>(key.size()));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t room, unsigned seed) {
    std::uint64_t length = 0;
    if (size >= kLengthBytes) std::memcpy(&length, data, sizeof length);
    if (size < kLengthBytes || length > size - kLengthBytes || seed % 8 == 0) {
        return LLVMFuzzerMutate(data, size, room);
    }
    const std::span<const std::uint8_t> all(data + kLengthBytes, size - kLengthBytes);
    std::vector<std::uint8_t> header(all.begin(), all.begin() + static_cast<long>(length));
    std::vector<std::uint8_t> values(all.begin() + static_cast<long>(length), all.end());
    const std::size_t spare = room - size;
    if (seed % 8 < 5) {
        header = mutate(header, header.size() + spare);
    } else {
        values = mutate(values, values.size() + spare);
    }
    if (seed % 16 < 14) fit_checksum(header, values);
    length = header.size();
    std::memcpy(data, &length, sizeof length);
    std::copy(header.begin(), header.end(), data + kLengthBytes);
    std::copy(values.begin(), values.end(), data + kLengthBytes + header.size());
    return kLengthBytes + header.size() + values.size();
}
