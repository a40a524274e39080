// Files for tests: where fixtures are, a folder that vanishes, and HDF5 files of any shape.
#pragma once

#include <hdf5.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

namespace drydock::data {

inline std::string fixture(const std::string& name) {
    return std::string(DRYDOCK_TEST_DATA) + "/" + name;
}

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string pattern = std::filesystem::temp_directory_path() / "drydock-XXXXXX";
        path_ = mkdtemp(pattern.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string operator/(const std::string& name) const { return path_ / name; }
    bool empty() const { return std::filesystem::is_empty(path_); }
    bool holds_other_than(const std::string& name) const {
        for (const auto& entry : std::filesystem::directory_iterator(path_)) {
            if (entry.path().filename() != name) return true;
        }
        return false;
    }

  private:
    std::filesystem::path path_;
};

inline std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

// An HDF5 file to which a test adds arrays one by one.
class FileMaker {
  public:
    explicit FileMaker(const std::string& path)
        : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
    ~FileMaker() { H5Fclose(file_); }
    FileMaker(const FileMaker&) = delete;
    FileMaker& operator=(const FileMaker&) = delete;

    // Stored as `type`; without values, zeros.
    void put(const char* name, const std::vector<hsize_t>& shape, std::vector<double> values = {},
             hid_t type = H5T_IEEE_F64LE) {
        values.resize(std::accumulate(shape.begin(), shape.end(), std::size_t{1},
                                      [](std::size_t a, hsize_t b) { return a * b; }));
        const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
        const hid_t set =
            H5Dcreate2(file_, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Dclose(set);
        H5Sclose(space);
    }

    // A chunked float32 array of which nothing is written.
    void put_empty(const char* name, const std::vector<hsize_t>& shape,
                   const std::vector<hsize_t>& chunk) {
        const int rank = static_cast<int>(shape.size());
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(layout, rank, chunk.data());
        const hid_t space = H5Screate_simple(rank, shape.data(), nullptr);
        H5Dclose(H5Dcreate2(file_, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, layout, H5P_DEFAULT));
        H5Sclose(space);
        H5Pclose(layout);
    }

    // The four required columns of `rows` rows of zeros, but for the one called `except`.
    void put_required(hsize_t rows, const std::string& except = "") {
        if (except != "observations") put("observations", {rows, 3});
        if (except != "actions") put("actions", {rows, 2});
        if (except != "rewards") put("rewards", {rows});
        if (except != "terminals") put("terminals", {rows});
    }

    hid_t id() const { return file_; }

  private:
    hid_t file_;
};

}  // namespace drydock::data
