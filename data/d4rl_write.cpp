// Writing: under a temporary name, then synced and renamed, so that no reader sees half a file. A
// process of its own uses the HDF5 library: where memory runs out, the library crashes, or goes on
// with tables of its own that no later call in that process can use.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "data/child_process.h"
#include "data/d4rl.h"
#include "data/hdf5.h"

namespace drydock::data {
namespace {

constexpr unsigned kGzipLevel = 6;
constexpr std::int64_t kChunkBytes = 1 << 18;  // below the library's default cache of 1 MiB
constexpr std::size_t kMemoryStep = 1 << 24;   // by which a large file grows in memory

void check(bool done, const char* what) {
    if (!done) {
        throw Error(fmt::format("expected to write {}, got \"{}\"", what, hdf5::last_error()));
    }
}

// The enum that h5py reads back as numpy's bool.
hdf5::Type boolean_type() {
    hdf5::Type type(H5Tenum_create(H5T_NATIVE_INT8));
    const std::int8_t no = 0;
    const std::int8_t yes = 1;
    H5Tenum_insert(type.get(), "FALSE", &no);
    H5Tenum_insert(type.get(), "TRUE", &yes);
    return type;
}

// `width` 0 makes a vector.
void write_column(hid_t file, const char* name, hid_t type, const void* values, std::int64_t rows,
                  std::int64_t width) {
    const int rank = width == 0 ? 1 : 2;
    const std::int64_t row_bytes =
        static_cast<std::int64_t>(H5Tget_size(type)) * std::max<std::int64_t>(width, 1);
    const std::int64_t chunk_rows = std::clamp<std::int64_t>(kChunkBytes / row_bytes, 1, rows);
    const hsize_t shape[2] = {static_cast<hsize_t>(rows), static_cast<hsize_t>(width)};
    const hsize_t chunk[2] = {static_cast<hsize_t>(chunk_rows), static_cast<hsize_t>(width)};

    const hdf5::Properties layout(H5Pcreate(H5P_DATASET_CREATE));
    // Without times, so that the same data make the same bytes.
    check(H5Pset_obj_track_times(layout.get(), false) >= 0 &&
              H5Pset_chunk(layout.get(), rank, chunk) >= 0 && H5Pset_shuffle(layout.get()) >= 0 &&
              H5Pset_deflate(layout.get(), kGzipLevel) >= 0,
          name);
    const hdf5::Space space(H5Screate_simple(rank, shape, nullptr));
    hdf5::Set set(
        H5Dcreate2(file, name, type, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT));
    check(static_cast<bool>(set), name);
    check(H5Dwrite(set.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, name);
    check(set.close(), name);
}

void write_attribute(hid_t file, const std::string& name, const std::string& value) {
    const hdf5::Type type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    const hdf5::Space space(H5Screate(H5S_SCALAR));
    const hdf5::Attribute attribute(
        H5Acreate2(file, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
    const char* text = value.c_str();
    check(attribute && H5Awrite(attribute.get(), type.get(), &text) >= 0, "an attribute");
}

void write_columns(hid_t file, const Dataset& data) {
    const hdf5::Type boolean = boolean_type();
    const auto numbers = [&](const char* name, const std::vector<float>& column,
                             std::int64_t width) {
        write_column(file, name, H5T_IEEE_F32LE, column.data(), data.rows, width);
    };
    const auto flags = [&](const char* name, const std::vector<std::uint8_t>& column) {
        write_column(file, name, boolean.get(), column.data(), data.rows, 0);
    };
    numbers("observations", data.observations, data.observation_size);
    if (data.action_count > 0) {
        const std::vector<std::int64_t> choices(data.actions.begin(), data.actions.end());
        write_column(file, "actions", H5T_STD_I64LE, choices.data(), data.rows, 0);
        write_attribute(file, "action_count", std::to_string(data.action_count));
    } else {
        numbers("actions", data.actions, data.action_size);
    }
    numbers("rewards", data.rewards, 0);
    flags("terminals", data.terminals);
    if (data.has_timeouts()) flags("timeouts", data.timeouts);
    if (data.has_next_observations()) {
        numbers("next_observations", data.next_observations, data.observation_size);
    }
    for (const auto& [name, value] : data.attributes) {
        if (name != "action_count") write_attribute(file, name, value);
    }
}

std::size_t numbers_in(const Dataset& data) {
    return data.observations.size() + data.actions.size() + data.rewards.size() +
           data.next_observations.size();
}

void save(const std::string& path, const char* bytes, std::size_t size) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool done = descriptor >= 0;
    for (std::size_t saved = 0; done && saved < size;) {
        const ssize_t count = write(descriptor, bytes + saved, size - saved);
        if (count < 0 && errno == EINTR) continue;
        done = count > 0;
        if (done) saved += static_cast<std::size_t>(count);
    }
    done = done && fsync(descriptor) == 0;
    const int reason = errno;
    if (descriptor >= 0) close(descriptor);
    if (!done) {
        throw Error(
            fmt::format("expected to write {} bytes, got \"{}\"; free some space or write "
                        "elsewhere",
                        size, std::strerror(reason)));
    }
}

// The library builds the file in memory and this file saves it: after a write that failed on a full
// disk, HDF5 1.10 cannot close the file and crashes when the program ends.
void write_file(const std::string& path, const Dataset& data) {
    const hdf5::Properties access(H5Pcreate(H5P_FILE_ACCESS));
    // Each step is filled with zeros first.
    const std::size_t step = std::clamp<std::size_t>(4 * numbers_in(data), 1 << 14, kMemoryStep);
    check(H5Pset_fapl_core(access.get(), step, false) >= 0, "a new file");
    hdf5::File file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
    check(static_cast<bool>(file), "a new file");
    write_columns(file.get(), data);
    check(H5Fflush(file.get(), H5F_SCOPE_LOCAL) >= 0, "the end of the file");
    const ssize_t size = H5Fget_file_image(file.get(), nullptr, 0);
    void* handle = nullptr;  // to the driver's pointer to its memory
    check(size > 0 && H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &handle) >= 0,
          "the end of the file");
    save(path, *static_cast<const char**>(handle), static_cast<std::size_t>(size));
}

// What the child has to say: "" when the file is written.
struct Answer {
    char problem[400] = {};
};

ChildLimits limits_for(const Dataset& data) {
    const std::uint64_t numbers = numbers_in(data);
    ChildLimits limits;
    limits.cpu_seconds = 60.0 + static_cast<double>(numbers >> 18);  // a MB a second
    limits.memory += 3 * sizeof(float) * numbers;
    limits.silent_polls = 0;  // it answers once, after all of the file, however long that takes
    limits.work = ChildWork::writes;
    return limits;
}

void write_in_child(const std::string& path, const Dataset& data) {
    // No other thread is inside the library at the fork, and it prints nothing after it.
    const hdf5::Session session;
    ChildProcess child(
        [&](ChildChannel& channel) {
            std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is an error of write()
            Answer answer;
            try {
                write_file(path, data);
            } catch (const Error& error) {
                std::strncpy(answer.problem, error.what(), sizeof answer.problem - 1);
            }
            channel.send(&answer, sizeof answer, nullptr, 0);
        },
        limits_for(data));
    Answer answer;
    child.receive(&answer, sizeof answer);
    if (answer.problem[0] != '\0') throw Error(answer.problem);
}

}  // namespace

void write_d4rl(const std::string& path, const Dataset& dataset) {
    validate(dataset);
    const std::string temporary = fmt::format("{}.partial-{}", path, getpid());
    try {
        write_in_child(temporary, dataset);
        if (std::rename(temporary.c_str(), path.c_str()) != 0) {
            throw Error(
                fmt::format("expected to rename {}, got \"{}\"", temporary, std::strerror(errno)));
        }
    } catch (const Error& error) {
        std::remove(temporary.c_str());
        throw Error(fmt::format("[data] {} (file {})", error.what(), path));
    } catch (...) {
        std::remove(temporary.c_str());
        throw;
    }
}

}  // namespace drydock::data
