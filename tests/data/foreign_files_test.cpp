// Files from elsewhere: damaged, changing, leading elsewhere, or not files at all. Each ends in one
// Error of one line.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <thread>

#include "base/philox.h"
#include "data/child_process.h"
#include "data/d4rl.h"
#include "tests/data/example.h"
#include "tests/data/files.h"

namespace drydock::data {
namespace {

constexpr std::array kFixtures = {"contiguous.hdf5", "float64_columns.hdf5", "gzip_chunked.hdf5",
                                  "no_timeouts.hdf5"};

std::string error_of(const std::string& path, const ReadOptions& options = {}) {
    return message_of([&] { read_d4rl(path, options); });
}

// One line for a person, whatever the file holds.
bool is_clear(const std::string& text) {
    return text.starts_with("[data] expected") && text.size() < 2000 &&
           text.find('\n') == std::string::npos;
}

// A damaged file may still be readable: in parts that nobody reads, or in a number's bits.
bool is_clear_or_fine(const std::string& text) {
    return text == "nothing thrown" || is_clear(text);
}

}  // namespace

// Random bytes in the other fixtures made HDF5 1.10.8 crash on, or never end with, each of these.
// Another version may find the damage by itself.
TEST_CASE("files that crash the library or send it round in circles end in one error") {
    for (const char* name : {"abort.hdf5", "endless.hdf5", "segfault.hdf5"}) {
        const std::string text = error_of(fixture(std::string("damaged/") + name));
        CAPTURE(text);
        CHECK(is_clear(text));
        CHECK(has_all(text, {"damaged", name}));
    }
}

TEST_CASE("a file cut at any hundredth of its length is refused") {
    const TemporaryFolder folder;
    for (const char* name : {"contiguous.hdf5", "gzip_chunked.hdf5"}) {
        const std::string whole = bytes_of(fixture(name));
        for (std::size_t k = 0; k < 100; ++k) {
            write_bytes(folder / "cut.hdf5", whole.substr(0, k * whole.size() / 100));
            const std::string text = error_of(folder / "cut.hdf5");
            CAPTURE(k);
            CAPTURE(text);
            CHECK(is_clear(text));
        }
    }
}

TEST_CASE("random bytes in a file never do more than make it unreadable") {
    const TemporaryFolder folder;
    int refused = 0;
    for (std::uint64_t k = 0; k < 200; ++k) {
        const auto draw = [&](const char* stream, std::uint64_t i, std::uint64_t n) {
            return random_index(k, stream_id(stream), 0, i, n);
        };
        std::string bytes = bytes_of(fixture(kFixtures[k % kFixtures.size()]));
        for (std::uint64_t i = 0; i <= draw("count", 0, 16); ++i) {
            const std::uint64_t value = draw("byte", i, 300);
            bytes[draw("at", i, bytes.size())] =
                static_cast<char>(std::min<std::uint64_t>(value, 255));
        }
        write_bytes(folder / "bad.hdf5", bytes);
        const std::string text = error_of(folder / "bad.hdf5");
        CAPTURE(k);
        CAPTURE(text);
        CHECK(is_clear_or_fine(text));
        refused += text != "nothing thrown";
    }
    CHECK(refused > 50);
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("folders, pipes, devices and unreadable files are wrong calls, and none is waited for") {
    const TemporaryFolder folder;
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
    CHECK(has_all(error_of(folder / "pipe"), {"expected an HDF5 file, got the pipe", "/pipe"}));
    CHECK(has_all(error_of("/dev/null"), {"got the device"}));
    CHECK(has_all(error_of(folder / ""), {"got the folder"}));
    write_bytes(folder / "secret", "x");
    chmod((folder / "secret").c_str(), 0);
    // Root reads files without permission, so a process that is not root tries.
    ChildProcess other(
        [&](ChildChannel& channel) {
            const bool done = geteuid() != 0 || seteuid(65534) == 0;
            const std::string text = error_of(folder / "secret");
            const char good = done && has_all(text, {"readable file", "Permission denied"});
            channel.send(&good, 1, nullptr, 0);
        },
        {});
    char good = 0;
    other.receive(&good, 1);
    CHECK(good == 1);
}

TEST_CASE("several readers make the same data set as one") {
    for (const char* name : kFixtures) {
        ReadOptions one, four;
        one.readers = 1;
        four.readers = 4;
        const Dataset a = read_d4rl(fixture(name), one);
        const Dataset b = read_d4rl(fixture(name), four);
        CHECK(a.observations == b.observations);
        CHECK(a.actions == b.actions);
        CHECK(a.rewards == b.rewards);
        CHECK(a.terminals == b.terminals);
        CHECK(a.timeouts == b.timeouts);
        CHECK(a.next_observations == b.next_observations);
        CHECK(a.sha256 == b.sha256);
    }
}

TEST_CASE("next observations are left on the disk where nobody wants them") {
    ReadOptions options;
    options.next_observations = false;
    const Dataset d = read_d4rl(fixture("contiguous.hdf5"), options);
    CHECK_FALSE(d.has_next_observations());
    CHECK(d.timeouts == example_dataset().timeouts);
    for (const ColumnFacts& facts : d.raw_facts) {
        CHECK(facts.used == (facts.name != "next_observations"));
    }
}

TEST_CASE("next observations that nobody wants may be anything") {
    const TemporaryFolder folder;
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5);
        file.put("next_observations", {4, 7, 2});
    }
    ReadOptions options;
    CHECK(has_all(error_of(folder / "f.hdf5"), {"next_observations", "got (4, 7, 2)"}));
    options.next_observations = false;
    CHECK(read_d4rl(folder / "f.hdf5", options).rows == 5);
}

TEST_CASE("chunks far larger than a block are decoded once and arrive in pieces") {
    const TemporaryFolder folder;
    constexpr hsize_t kRows = 300000;
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(kRows, "observations");
        const hsize_t shape[2] = {kRows, 4};
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(layout, 2, shape);  // all of it: 4.8 MB
        H5Pset_deflate(layout, 1);
        const hid_t space = H5Screate_simple(2, shape, nullptr);
        const hid_t set = H5Dcreate2(file.id(), "observations", H5T_IEEE_F32LE, space, H5P_DEFAULT,
                                     layout, H5P_DEFAULT);
        std::vector<float> values(kRows * 4);
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 9973);
        H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Dclose(set);
        H5Sclose(space);
        H5Pclose(layout);
    }
    ReadOptions options;
    options.readers = 3;
    const Dataset d = read_d4rl(folder / "f.hdf5", options);
    REQUIRE(d.observations.size() == kRows * 4);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < d.observations.size(); ++i) {
        wrong += d.observations[i] != static_cast<float>(i % 9973);
    }
    CHECK(wrong == 0);
}

TEST_CASE("a file that is locked is not called damaged") {
    const TemporaryFolder folder;
    std::filesystem::copy_file(fixture("contiguous.hdf5"), folder / "f.hdf5");
    const int held = open((folder / "f.hdf5").c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(flock(held, LOCK_EX) == 0);  // as the library does where it writes
    const std::string text = error_of(folder / "f.hdf5");
    CHECK(has_all(text, {"locked", "has it open for writing", "HDF5_USE_FILE_LOCKING=FALSE"}));
    CHECK_FALSE(has_all(text, {"fetch"}));
    close(held);
    CHECK(read_d4rl(folder / "f.hdf5").rows == 12);
}

// GCC 12's address sanitizer does not take its allocator's locks over fork(): a child forked while
// another thread allocates may wait for ever. The C library's own allocator does take them.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kForkBesideThreads = false;
#else
constexpr bool kForkBesideThreads = true;
#endif

TEST_CASE("threads read at the same time" * doctest::skip(!kForkBesideThreads)) {
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int k = 0; k < 4; ++k) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5; ++i) {
                good +=
                    read_d4rl(fixture("gzip_chunked.hdf5")).rewards == example_dataset().rewards;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(good == 20);
}

TEST_CASE("a file that changes while it is read is named as such") {
    const TemporaryFolder folder;
    constexpr hsize_t kRows = 400000;
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(kRows);
    }
    std::atomic<bool> stop = false;
    const int file = open((folder / "f.hdf5").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    REQUIRE(file >= 0);
    std::thread writer([&] {  // allocates nothing, see above
        while (!stop && write(file, "x", 1) == 1) usleep(1000);
    });
    const std::string text = error_of(folder / "f.hdf5");
    stop = true;
    writer.join();
    close(file);
    CHECK(has_all(text, {"nobody changes while it is read", "f.hdf5"}));
}

TEST_CASE("columns that lead into other files are refused, and other files stay closed") {
    const TemporaryFolder folder;
    { FileMaker(folder / "other.hdf5").put_required(5); }
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5, "rewards");
        H5Lcreate_external("other.hdf5", "/rewards", file.id(), "rewards", H5P_DEFAULT,
                           H5P_DEFAULT);
    }
    CHECK(has_all(error_of(folder / "f.hdf5"), {"rewards to be an array"}));
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5);
        H5Lcreate_external("other.hdf5", "/rewards", file.id(), "extra", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_external("none.hdf5", "/", file.id(), "group", H5P_DEFAULT, H5P_DEFAULT);
    }
    CHECK(read_d4rl(folder / "f.hdf5").rows == 5);  // links that nobody follows do no harm
    write_bytes(folder / "raw", std::string(40, '\0'));
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5, "rewards");
        const hsize_t rows = 5;
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_external(layout, (folder / "raw").c_str(), 0, 40);
        const hid_t space = H5Screate_simple(1, &rows, nullptr);
        H5Dclose(H5Dcreate2(file.id(), "rewards", H5T_IEEE_F64LE, space, H5P_DEFAULT, layout,
                            H5P_DEFAULT));
        H5Sclose(space);
        H5Pclose(layout);
    }
    CHECK(has_all(error_of(folder / "f.hdf5"), {"rewards", "lie in other files"}));
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5, "rewards");
        const hsize_t rows = 5;
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        const hid_t space = H5Screate_simple(1, &rows, nullptr);
        H5Pset_virtual(layout, space, "other.hdf5", "/rewards", space);
        H5Dclose(H5Dcreate2(file.id(), "rewards", H5T_IEEE_F64LE, space, H5P_DEFAULT, layout,
                            H5P_DEFAULT));
        H5Sclose(space);
        H5Pclose(layout);
    }
    CHECK(has_all(error_of(folder / "f.hdf5"), {"rewards", "lie in other files"}));
}

TEST_CASE("soft links inside the file are followed, dangling and circular ones are not") {
    const TemporaryFolder folder;
    const auto with_link = [&](const char* target) {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5, "rewards");
        file.put("stored", {5}, {1, 2, 3, 4, 5});
        H5Lcreate_soft(target, file.id(), "rewards", H5P_DEFAULT, H5P_DEFAULT);
    };
    with_link("/stored");
    CHECK(read_d4rl(folder / "f.hdf5").rewards == std::vector<float>{1, 2, 3, 4, 5});
    with_link("/nowhere");
    CHECK(has_all(error_of(folder / "f.hdf5"), {"rewards to be an array"}));
    with_link("/rewards");
    CHECK(has_all(error_of(folder / "f.hdf5"), {"rewards to be an array"}));
}

TEST_CASE("compound types and numbers that are not finite are refused in every column") {
    const TemporaryFolder folder;
    const auto shape_of = [](const std::string& name) -> std::vector<hsize_t> {
        if (name == "observations" || name == "next_observations") return {5, 3};
        if (name == "actions") return {5, 2};
        return {5};
    };
    for (const char* name :
         {"observations", "actions", "rewards", "terminals", "next_observations", "timeouts"}) {
        CAPTURE(std::string(name));
        {
            FileMaker file(folder / "f.hdf5");
            file.put_required(5, name);
            file.put(name, shape_of(name), {0, std::numeric_limits<double>::quiet_NaN()});
        }
        CHECK(has_all(error_of(folder / "f.hdf5"), {name, "nan", "row "}));
        {
            FileMaker file(folder / "f.hdf5");
            file.put_required(5, name);
            const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
            H5Tinsert(type, "a", 0, H5T_IEEE_F64LE);
            const std::vector<hsize_t> shape = shape_of(name);
            const hid_t space =
                H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
            H5Dclose(
                H5Dcreate2(file.id(), name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
            H5Sclose(space);
            H5Tclose(type);
        }
        CHECK(has_all(error_of(folder / "f.hdf5"), {name, "to hold numbers", "got compound"}));
    }
}

TEST_CASE("names and attributes cannot write control sequences to a terminal") {
    const TemporaryFolder folder;
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5, "rewards");
        file.put("\x1b[2J", {1});
    }
    CHECK(is_clear(error_of(folder / "f.hdf5")));
    CHECK(has_all(error_of(folder / "f.hdf5"), {"?[2J"}));
}

}  // namespace drydock::data
