// Whole safetensors files in memory: traces, checkpoints and policy files. base/safetensors.h has
// the strict reader that this one stands on, and the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace drydock {

// A tensor of any rank, row-major. A scalar has an empty shape.
struct TensorData {
    DType dtype = DType::f32;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;

    std::int64_t size() const;  // number of elements
    // The elements as f64; i64 beyond 2^53 are rounded.
    std::vector<double> to_f64() const;
    // The elements, which must be f32 or i64; throws Error naming `name` when they are not.
    std::vector<float> f32(const std::string& name) const;
    std::vector<std::int64_t> i64(const std::string& name) const;

    static TensorData of(std::vector<std::int64_t> shape, std::span<const float> values);
    static TensorData of(std::vector<std::int64_t> shape, std::span<const double> values);
    static TensorData of(std::vector<std::int64_t> shape, std::span<const std::int64_t> values);
    static TensorData of(std::vector<std::int64_t> shape, std::span<const std::uint64_t> values);
};

struct TensorFile {
    std::map<std::string, std::string> metadata;
    std::map<std::string, TensorData> tensors;

    // The tensor of that name, which must be there; throws Error.
    const TensorData& tensor(const std::string& name) const;
    // A metadata value, or "" when there is none.
    std::string text(const std::string& key) const;
};

// Parses the bytes of a file; `name` is for error texts. Throws Error for bytes that are not a
// valid safetensors file and for element types that drydock does not have.
TensorFile parse_tensor_file(std::span<const std::byte> bytes, const std::string& name);
// Reads a whole file and parses it. Throws Error also when it cannot be read.
TensorFile read_tensor_file(const std::string& path);

// The bytes of a file: names sorted, every tensor at a multiple of its element size, the header
// padded so that the data begin at a multiple of 64. Equal contents give equal bytes.
std::vector<std::byte> serialize(const TensorFile& file);
void write_tensor_file(const std::string& path, const TensorFile& file);

// SHA-256, in hexadecimal, of the data that serialize() would write after the header.
std::string sha256_of_data(const TensorFile& file);

// Reads a file's bytes. Throws Error.
std::vector<std::byte> read_bytes(const std::string& path);
// Replaces a file as a whole: writes to a temporary name in the same folder, syncs, renames. Throws
// Error when that fails (disk full, read-only folder); the old file is then untouched.
void write_atomically(const std::string& path, std::span<const std::byte> bytes);

}  // namespace drydock
