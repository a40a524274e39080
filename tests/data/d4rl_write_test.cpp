#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <ctime>

#include "base/philox.h"
#include "data/d4rl.h"
#include "tests/data/example.h"
#include "tests/data/files.h"

namespace drydock::data {
namespace {

// Numbers that gzip cannot shrink much, several chunks long.
Dataset noise_dataset(std::int64_t rows) {
    Dataset d;
    d.rows = rows;
    d.observation_size = 17;
    d.action_size = 6;
    const auto fill = [rows](std::vector<float>& column, std::int64_t width, std::uint64_t step) {
        const auto n = static_cast<std::uint64_t>(rows * width);
        for (std::uint64_t i = 0; i < n; ++i) {
            column.push_back(uniform_f32(0, stream_id("noise"), step, i));
        }
    };
    fill(d.observations, 17, 0);
    fill(d.actions, 6, 1);
    fill(d.rewards, 1, 2);
    d.terminals.assign(static_cast<std::size_t>(rows), 0);
    d.terminals.back() = 1;
    return d;
}

// Files of this process may not grow beyond `bytes` while it lives: what a full disk looks like.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

  private:
    void (*handler_)(int);
    rlimit before_{};
};

void check_same(const Dataset& got, const Dataset& want) {
    CHECK(got.rows == want.rows);
    CHECK(got.observation_size == want.observation_size);
    CHECK(got.action_size == want.action_size);
    CHECK(got.observations == want.observations);
    CHECK(got.actions == want.actions);
    CHECK(got.rewards == want.rewards);
    CHECK(got.next_observations == want.next_observations);
    CHECK(got.terminals == want.terminals);
    CHECK(got.timeouts == want.timeouts);
    CHECK(got.attributes == want.attributes);
}

}  // namespace

TEST_CASE("what is written is read back, bit for bit") {
    const TemporaryFolder folder;
    Dataset d = example_dataset();
    d.attributes = {{"env", "pendulum"}, {"seed", "7"}, {"empty", ""}, {"note", "größer"}};
    write_d4rl(folder / "a.hdf5", d);
    check_same(read_d4rl(folder / "a.hdf5"), d);
}

TEST_CASE("several chunks, without optional columns") {
    const TemporaryFolder folder;
    const Dataset d = noise_dataset(20000);
    write_d4rl(folder / "b.hdf5", d);
    check_same(read_d4rl(folder / "b.hdf5"), d);
    Dataset one = noise_dataset(1);
    write_d4rl(folder / "one.hdf5", one);
    check_same(read_d4rl(folder / "one.hdf5"), one);
}

TEST_CASE("flags have the type that h5py reads as bool, columns are gzip with shuffle") {
    const TemporaryFolder folder;
    write_d4rl(folder / "a.hdf5", example_dataset());
    const hid_t file = H5Fopen((folder / "a.hdf5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, "timeouts", H5P_DEFAULT);
    const hid_t type = H5Dget_type(set);
    const hid_t base = H5Tget_super(type);
    CHECK(H5Tequal(base, H5T_STD_I8LE) > 0);
    CHECK(H5Tget_nmembers(type) == 2);
    signed char value = -1;
    CHECK(H5Tenum_valueof(type, "FALSE", &value) >= 0);
    CHECK(value == 0);
    CHECK(H5Tenum_valueof(type, "TRUE", &value) >= 0);
    CHECK(value == 1);
    const hid_t layout = H5Dget_create_plist(set);
    unsigned flags = 0, level = 0;
    std::size_t count = 1;
    CHECK(H5Pget_filter_by_id2(layout, H5Z_FILTER_SHUFFLE, &flags, nullptr, nullptr, 0, nullptr,
                               nullptr) >= 0);
    CHECK(H5Pget_filter_by_id2(layout, H5Z_FILTER_DEFLATE, &flags, &count, &level, 0, nullptr,
                               nullptr) >= 0);
    CHECK(level == 6);
    H5Pclose(layout);
    H5Tclose(base);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
}

TEST_CASE("the same data make the same bytes, whenever they are written") {
    const TemporaryFolder folder;
    write_d4rl(folder / "a.hdf5", example_dataset());
    const std::time_t then = std::time(nullptr);
    while (std::time(nullptr) == then) usleep(10000);  // HDF5 counts in seconds
    write_d4rl(folder / "b.hdf5", example_dataset());
    CHECK(bytes_of(folder / "a.hdf5") == bytes_of(folder / "b.hdf5"));
}

TEST_CASE("an existing file is replaced") {
    const TemporaryFolder folder;
    write_d4rl(folder / "a.hdf5", noise_dataset(50));
    write_d4rl(folder / "a.hdf5", example_dataset());
    CHECK(read_d4rl(folder / "a.hdf5").rows == 12);
}

TEST_CASE("a data set that is not valid is not written") {
    const TemporaryFolder folder;
    Dataset d = example_dataset();
    d.rewards.pop_back();
    CHECK(has_all(message_of([&] { write_d4rl(folder / "a.hdf5", d); }), {"rewards", "got 11"}));
    CHECK(folder.empty());
}

TEST_CASE("a folder that does not exist gives an error with the path") {
    const TemporaryFolder folder;
    const std::string path = folder / "none/a.hdf5";
    CHECK(has_all(message_of([&] { write_d4rl(path, example_dataset()); }),
                  {"[data] expected to write", path.c_str()}));
}

TEST_CASE("a full disk gives an error, no leftovers, and leaves the old file alone") {
    const TemporaryFolder folder;
    write_d4rl(folder / "a.hdf5", example_dataset());
    const std::string before = bytes_of(folder / "a.hdf5");
    const Dataset d = noise_dataset(20000);
    for (const rlim_t bytes : {rlim_t{1000}, rlim_t{100000}, rlim_t{1500000}}) {
        CAPTURE(bytes);
        std::string text;
        {
            const FileSizeLimit limit(bytes);
            text = message_of([&] { write_d4rl(folder / "a.hdf5", d); });
        }
        CHECK(has_all(text, {"[data] expected to write", "a.hdf5"}));
        CHECK(bytes_of(folder / "a.hdf5") == before);
        CHECK_FALSE(folder.holds_other_than("a.hdf5"));
    }
    write_d4rl(folder / "a.hdf5", d);
    check_same(read_d4rl(folder / "a.hdf5"), d);
}

TEST_CASE("actions that are choices are written as integers and come back with their number") {
    const TemporaryFolder folder;
    Dataset d = flag_dataset("00100", "00001", true);
    d.actions = {2, 0, 1, 1, 0};
    d.action_count = 4;
    const std::string path = folder.file("choices.hdf5");
    write_d4rl(path, d);
    const Dataset got = read_d4rl(path);
    CHECK(got.actions == d.actions);
    CHECK(got.action_size == 1);
    CHECK(got.action_count == 4);
    for (const ColumnFacts& facts : got.raw_facts) {
        if (facts.name != "actions") continue;
        CHECK(facts.dtype == "int64");
        CHECK(facts.shape == std::vector<std::int64_t>{5});
    }
    d.actions[3] = 4;
    CHECK(has_all(message_of([&] { write_d4rl(path, d); }), {"from 0 to 3", "got 4 in row 3"}));
    d.actions[3] = 0.5f;
    CHECK(has_all(message_of([&] { write_d4rl(path, d); }), {"whole number", "0.5"}));
}

}  // namespace drydock::data
