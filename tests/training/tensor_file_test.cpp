#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "core/safetensors.h"
#include "tests/training/support.h"

namespace drydock {
namespace {

using testing::contains;
using testing::error_of;

TensorFile example() {
    const std::vector<float> f32 = {1.5f, -2.0f, 3.0f};
    const std::vector<double> f64 = {0.1};
    const std::vector<std::int64_t> i64 = {-1, 5};
    const std::vector<std::uint64_t> u64 = {~std::uint64_t{0}};
    TensorFile file;
    file.metadata = {{"key", "a \"quoted\"\n\xc3\xa4 text"}};
    file.tensors["z"] = TensorData::of({1, 3}, std::span(f32));
    file.tensors["scalar"] = TensorData::of({}, std::span(f64));
    file.tensors["i"] = TensorData::of({2, 1}, std::span(i64));
    file.tensors["u"] = TensorData::of({1}, std::span(u64));
    file.tensors["bytes"] = {DType::u8, {3}, std::vector<std::byte>(3, std::byte{9})};
    file.tensors["empty"] = {DType::f32, {0, 4}, {}};
    return file;
}

TEST_CASE("what is written is read back") {
    const testing::TemporaryFolder folder;
    const std::string path = folder.file("a.safetensors");
    const TensorFile file = example();
    write_tensor_file(path, file);
    const TensorFile again = read_tensor_file(path);
    CHECK(again.metadata == file.metadata);
    REQUIRE(again.tensors.size() == file.tensors.size());
    for (const auto& [name, tensor] : file.tensors) {
        CHECK(again.tensor(name).dtype == tensor.dtype);
        CHECK(again.tensor(name).shape == tensor.shape);
        CHECK(again.tensor(name).bytes == tensor.bytes);
    }
    CHECK(again.tensor("i").i64("i") == std::vector<std::int64_t>{-1, 5});
    CHECK(again.tensor("z").to_f64() == std::vector<double>{1.5, -2.0, 3.0});
    CHECK(contains(error_of([&] { again.tensor("z").i64("z"); }), "I64"));
    CHECK(contains(error_of([&] { again.tensor("y"); }), "'y'"));
}

TEST_CASE("the data begin at a multiple of 64 and every tensor at a multiple of its element") {
    const std::vector<std::byte> bytes = serialize(example());
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    CHECK((8 + header) % 64 == 0);
    const std::string text(reinterpret_cast<const char*>(bytes.data()) + 8, header);
    // 8-byte elements first, then floats, then bytes.
    CHECK(text.find("\"bytes\":{\"data_offsets\":[44,47]") != std::string::npos);
    CHECK(text.find("\"z\":{\"data_offsets\":[32,44]") != std::string::npos);
}

TEST_CASE("malformed bytes are refused with the file's name") {
    std::vector<std::byte> bytes = serialize(example());
    bytes.pop_back();
    CHECK(contains(error_of([&] { parse_tensor_file(bytes, "cut.safetensors"); }),
                   "cut.safetensors"));
    CHECK_THROWS_AS(parse_tensor_file({}, "empty"), Error);
    const testing::TemporaryFolder folder;
    CHECK(contains(error_of([&] { read_tensor_file(folder.file("absent")); }), "absent"));
    CHECK_THROWS_AS(read_tensor_file(folder.file("")), Error);
}

TEST_CASE("a shape that does not fit its values is refused") {
    const std::vector<float> values(5);
    CHECK_THROWS_AS(TensorData::of({2, 3}, std::span(values)), Error);
    TensorFile file;
    file.tensors["x"] = {DType::f32, {4}, std::vector<std::byte>(15)};
    CHECK(contains(error_of([&] { serialize(file); }), "16 bytes"));
}

std::size_t files_in(const std::string& folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        count += entry.exists() ? 1 : 0;
    }
    return count;
}

// A limit on the size of files fails a write in its middle, as a full disk does.
TEST_CASE("a write that fails leaves the old file and nothing else") {
    const testing::TemporaryFolder folder;
    const std::string path = folder.file("a.safetensors");
    write_tensor_file(path, example());
    const std::vector<std::byte> old = read_bytes(path);
    const std::vector<std::byte> large(1 << 20);

    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small = before;
    small.rlim_cur = 1 << 16;
    setrlimit(RLIMIT_FSIZE, &small);
    const std::string error = error_of([&] { write_atomically(path, large); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);

    CHECK(contains(error, path));
    CHECK(read_bytes(path) == old);
    CHECK(files_in(folder.file("")) == 1);
    write_atomically(path, large);
    CHECK(read_bytes(path) == large);
}

TEST_CASE("only plain files are replaced") {
    const testing::TemporaryFolder folder;
    std::filesystem::create_directory(folder.file("sub"));
    CHECK_THROWS_AS(write_tensor_file(folder.file("sub"), example()), Error);
    CHECK_THROWS_AS(write_tensor_file(folder.file("none/a"), example()), Error);
    CHECK_THROWS_AS(write_tensor_file("/dev/full", example()), Error);
    CHECK(std::filesystem::is_character_file("/dev/full"));
}

}  // namespace
}  // namespace drydock
