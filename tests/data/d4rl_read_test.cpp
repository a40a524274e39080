#include <doctest/doctest.h>

#include <limits>

#include "data/d4rl.h"
#include "tests/data/example.h"
#include "tests/data/files.h"

namespace drydock::data {
namespace {

const ColumnFacts& facts_of(const Dataset& d, const std::string& name) {
    for (const ColumnFacts& facts : d.raw_facts) {
        if (facts.name == name) return facts;
    }
    throw std::runtime_error("the file holds no " + name);
}

void check_example(const Dataset& d) {
    const Dataset want = example_dataset();
    CHECK(d.rows == want.rows);
    CHECK(d.observation_size == want.observation_size);
    CHECK(d.action_size == want.action_size);
    CHECK(d.observations == want.observations);
    CHECK(d.actions == want.actions);
    CHECK(d.terminals == want.terminals);
}

std::string error_of(const std::string& path) {
    return message_of([&] { read_d4rl(path); });
}

}  // namespace

TEST_CASE("contiguous float32 columns with h5py's bool flags") {
    const Dataset d = read_d4rl(fixture("contiguous.hdf5"));
    const Dataset want = example_dataset();
    check_example(d);
    CHECK(d.rewards == want.rewards);
    CHECK(d.next_observations == want.next_observations);
    CHECK(d.timeouts == want.timeouts);
    CHECK(d.path == fixture("contiguous.hdf5"));
    CHECK(facts_of(d, "terminals").dtype == "bool");
    CHECK(facts_of(d, "observations").shape == std::vector<std::int64_t>{12, 3});
}

TEST_CASE("attributes become text") {
    const Dataset d = read_d4rl(fixture("contiguous.hdf5"));
    CHECK(d.attributes ==
          std::map<std::string, std::string>{
              {"env", "Example-v0"}, {"seed", "31"}, {"discount", "0.5"}, {"fixed", "bytes"}});
}

TEST_CASE("gzip, shuffle and chunks that do not divide the rows") {
    const Dataset d = read_d4rl(fixture("gzip_chunked.hdf5"));
    check_example(d);
    CHECK(d.rewards == example_dataset().rewards);
    CHECK(d.timeouts == example_dataset().timeouts);
    CHECK_FALSE(d.has_next_observations());
}

TEST_CASE("float64 columns, (N, 1) vectors, float and uint8 flags, foreign byte order") {
    const Dataset d = read_d4rl(fixture("float64_columns.hdf5"));
    check_example(d);
    CHECK(d.timeouts == example_dataset().timeouts);
    for (std::size_t i = 0; i < 12; ++i) {
        CHECK(d.rewards[i] == static_cast<float>(0.1 * static_cast<double>(i)));
    }
    CHECK(facts_of(d, "observations").dtype == "float64");
    CHECK(facts_of(d, "timeouts").dtype == "uint8");
}

TEST_CASE("other arrays are listed and not used") {
    const Dataset d = read_d4rl(fixture("float64_columns.hdf5"));
    CHECK_FALSE(facts_of(d, "infos/qpos").used);
    CHECK(facts_of(d, "metadata/algorithm").dtype == "string");
    CHECK(facts_of(d, "metadata/algorithm").shape.empty());
    CHECK(facts_of(d, "metadata/iteration").dtype == "int32");
    CHECK(facts_of(d, "rewards").used);
}

TEST_CASE("timeouts may be absent and any value but 0 is a flag") {
    const Dataset d = read_d4rl(fixture("no_timeouts.hdf5"));  // terminals are 0 and -1
    check_example(d);
    CHECK_FALSE(d.has_timeouts());
}

TEST_CASE("flags beyond a byte and below 1 count, and long columns cross blocks") {
    const TemporaryFolder folder;
    constexpr hsize_t kRows = 600000;
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(kRows, "terminals");
        std::vector<double> flags(kRows, 0.0);
        flags[1] = 256;
        flags[300000] = 1;
        flags[kRows - 1] = 1;
        file.put("terminals", {kRows, 1}, flags, H5T_STD_I64BE);
        flags[1] = 0.25;
        file.put("timeouts", {kRows}, flags, H5T_IEEE_F32LE);
    }
    const Dataset d = read_d4rl(folder / "f.hdf5");
    const auto at = [](const std::vector<std::uint8_t>& v) {
        std::vector<std::size_t> rows;
        for (std::size_t i = 0; i < v.size(); ++i) {
            if (v[i]) rows.push_back(i);
        }
        return rows;
    };
    CHECK(at(d.terminals) == std::vector<std::size_t>{1, 300000, kRows - 1});
    CHECK(at(d.timeouts) == std::vector<std::size_t>{1, 300000, kRows - 1});
}

TEST_CASE("the file's SHA-256 is recorded") {
    const TemporaryFolder folder;
    std::string bytes = bytes_of(fixture("contiguous.hdf5"));
    write_bytes(folder / "same.hdf5", bytes);
    const std::string sum = read_d4rl(fixture("contiguous.hdf5")).sha256;
    CHECK(sum.size() == 64);
    CHECK(read_d4rl(folder / "same.hdf5").sha256 == sum);
    CHECK(read_d4rl(fixture("no_timeouts.hdf5")).sha256 != sum);
}

TEST_CASE("missing files and folders are wrong calls") {
    const TemporaryFolder folder;
    CHECK(has_all(error_of(folder / "none.hdf5"),
                  {"[data] expected a readable file", "No such file", "none.hdf5"}));
    CHECK(has_all(error_of(folder / ""), {"[data] expected an HDF5 file, got the folder"}));
    try {
        read_d4rl(folder / "none.hdf5");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
    }
}

TEST_CASE("files that are not HDF5 are named as such") {
    const TemporaryFolder folder;
    write_bytes(folder / "page.hdf5", "<html>404 Not Found</html>");
    write_bytes(folder / "empty.hdf5", "");
    CHECK(has_all(error_of(folder / "page.hdf5"), {"signature", "page.hdf5"}));
    CHECK(has_all(error_of(folder / "empty.hdf5"), {"signature"}));
}

TEST_CASE("a file cut short anywhere is refused") {
    const TemporaryFolder folder;
    for (const char* name : {"contiguous.hdf5", "gzip_chunked.hdf5", "float64_columns.hdf5"}) {
        const std::string whole = bytes_of(fixture(name));
        for (const std::size_t length :
             {std::size_t{4}, std::size_t{8}, std::size_t{60}, std::size_t{96}, std::size_t{800},
              whole.size() / 4, whole.size() / 2, whole.size() - 512, whole.size() - 1}) {
            CAPTURE(std::string(name));
            CAPTURE(length);
            write_bytes(folder / "cut.hdf5", whole.substr(0, length));
            CHECK(has_all(error_of(folder / "cut.hdf5"), {"[data] expected", "cut.hdf5"}));
        }
    }
}

TEST_CASE("damaged compressed data are refused") {
    const TemporaryFolder folder;
    std::string bytes = bytes_of(fixture("gzip_chunked.hdf5"));
    std::size_t damaged = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
        // A zlib stream begins with 0x78 and, at level 4, 0x5e.
        if (bytes[i] == 0x78 && bytes[i + 1] == 0x5e) {
            bytes[i + 4] = static_cast<char>(bytes[i + 4] ^ 0x7f);
            ++damaged;
        }
    }
    REQUIRE(damaged > 0);
    write_bytes(folder / "bad.hdf5", bytes);
    CHECK(has_all(error_of(folder / "bad.hdf5"), {"observations", "damaged"}));
}

TEST_CASE("every missing column is named, with what the file holds instead") {
    const TemporaryFolder folder;
    for (const char* name : {"observations", "actions", "rewards", "terminals"}) {
        FileMaker(folder / "f.hdf5").put_required(5, name);
        CHECK(has_all(error_of(folder / "f.hdf5"),
                      {(std::string("got none called ") + name).c_str(), "the file holds: "}));
    }
    FileMaker(folder / "f.hdf5").put("x", {1});
    CHECK(has_all(error_of(folder / "f.hdf5"), {"observations, actions, rewards, terminals"}));
}

TEST_CASE("wrong ranks and lengths are refused with their shapes") {
    const TemporaryFolder folder;
    const auto refused = [&](const char* name, const std::vector<hsize_t>& shape,
                             std::initializer_list<const char*> parts) {
        {
            FileMaker file(folder / "f.hdf5");
            file.put_required(5, name);
            file.put(name, shape);
        }
        const std::string text = error_of(folder / "f.hdf5");
        CAPTURE(text);
        CHECK(has_all(text, parts));
    };
    refused("observations", {5}, {"observations", "matrix", "got (5)"});
    refused("observations", {5, 2, 2}, {"observations", "got (5, 2, 2)"});
    refused("observations", {}, {"observations", "got ()"});
    refused("observations", {5, 0}, {"at least one row", "got (5, 0)"});
    refused("actions", {4, 2}, {"actions", "(5, 2)", "got (4, 2)"});
    refused("rewards", {5, 2}, {"rewards", "(5)", "got (5, 2)"});
    refused("rewards", {6}, {"rewards", "got (6)"});
    refused("terminals", {1, 5}, {"terminals", "got (1, 5)"});
    refused("timeouts", {4}, {"timeouts", "got (4)"});
    refused("next_observations", {5, 4}, {"next_observations", "(5, 3)", "got (5, 4)"});
}

TEST_CASE("zero rows are refused") {
    const TemporaryFolder folder;
    FileMaker(folder / "f.hdf5").put_required(0);
    CHECK(has_all(error_of(folder / "f.hdf5"), {"observations", "at least one row", "(0, 3)"}));
}

TEST_CASE("numbers that are not finite are refused, also beyond float32") {
    const TemporaryFolder folder;
    const auto with = [&](const char* name, const std::vector<hsize_t>& shape, double value) {
        {
            FileMaker file(folder / "f.hdf5");
            file.put_required(5, name);
            file.put(name, shape, {0, 0, 0, value});
        }
        return error_of(folder / "f.hdf5");
    };
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    CHECK(has_all(with("rewards", {5}, kNan), {"rewards", "nan", "row 3", "f.hdf5"}));
    CHECK(has_all(with("observations", {5, 3}, 1e300), {"observations", "inf", "row 1"}));
    CHECK(has_all(with("terminals", {5}, kNan), {"flags in terminals", "nan", "row 3"}));
}

TEST_CASE("columns of text and groups in a column's place are refused") {
    const TemporaryFolder folder;
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5, "rewards");
        H5Gclose(H5Gcreate2(file.id(), "rewards", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
    CHECK(has_all(error_of(folder / "f.hdf5"), {"rewards to be an array"}));
    {
        FileMaker file(folder / "f.hdf5");
        file.put_required(5, "rewards");
        const hsize_t rows = 5;
        const hid_t space = H5Screate_simple(1, &rows, nullptr);
        H5Dclose(H5Dcreate2(file.id(), "rewards", H5T_C_S1, space, H5P_DEFAULT, H5P_DEFAULT,
                            H5P_DEFAULT));
        H5Sclose(space);
    }
    CHECK(has_all(error_of(folder / "f.hdf5"), {"rewards to hold numbers", "got string"}));
}

TEST_CASE("files that claim more than memory or they themselves can hold are refused") {
    const TemporaryFolder folder;
    const auto claim = [&](hsize_t rows) {
        FileMaker file(folder / "f.hdf5");
        file.put_empty("observations", {rows, 1024}, {1, 1024});
        file.put_empty("actions", {rows, 2}, {1, 2});
        file.put_empty("rewards", {rows}, {1});
        file.put_empty("terminals", {rows}, {1});
    };
    claim(hsize_t{1} << 50);
    CHECK(has_all(error_of(folder / "f.hdf5"),
                  {"fit into", "of memory", "observations", "(1125899906842624, 1024)"}));
    claim(hsize_t{1} << 16);  // 257 MiB in a file of a few KiB
    CHECK(has_all(error_of(folder / "f.hdf5"),
                  {"fit into a file of", "observations", "(65536, 1024)", "never written"}));
    claim(1000);  // small arrays may be unwritten
    CHECK(read_d4rl(folder / "f.hdf5").rows == 1000);
}

TEST_CASE("the library's own error printing is as before after a failure") {
    H5E_auto2_t before = nullptr, after = nullptr;
    void* data = nullptr;
    H5Eget_auto2(H5E_DEFAULT, &before, &data);
    error_of(fixture("make"));
    H5Eget_auto2(H5E_DEFAULT, &after, &data);
    CHECK((before == after));
}

}  // namespace drydock::data
