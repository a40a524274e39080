// Reading: every matrix goes from the file straight into its column, flags through a small buffer.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>

#include "base/error.h"
#include "base/sha256.h"
#include "data/d4rl.h"
#include "data/hdf5.h"

namespace drydock::data {
namespace {

using Shape = std::vector<std::int64_t>;

std::string sha256_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw Error(fmt::format("expected a readable file, got \"{}\"", std::strerror(errno)),
                    ErrorKind::usage);
    }
    Sha256 hash;
    std::vector<char> block(1 << 20);
    while (file) {
        file.read(block.data(), static_cast<std::streamsize>(block.size()));
        hash.update(block.data(), static_cast<std::size_t>(file.gcount()));
    }
    if (file.bad()) throw Error("expected to read the whole file, got an input error");
    char text[Sha256::kHexLength + 1];
    hash.finish_hex(text);
    return text;
}

constexpr double kGiB = 1073741824.0;

double physical_memory() {
    return static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
           static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

hdf5::File open_file(const std::string& path) {
    if (H5Fis_hdf5(path.c_str()) <= 0) {
        throw Error(
            "expected an HDF5 file, got one without HDF5's signature; is the download "
            "complete, and is it not an archive or a web page?");
    }
    hdf5::File file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
    if (!file) {
        throw Error(
            fmt::format("expected a whole HDF5 file, got one that does not open: {}; fetch "
                        "it again",
                        hdf5::last_error()));
    }
    return file;
}

bool is_boolean(hid_t type) {
    return H5Tget_class(type) == H5T_ENUM && H5Tget_nmembers(type) == 2 && H5Tget_size(type) == 1;
}

std::string dtype_name(hid_t type) {
    const std::size_t bits = 8 * H5Tget_size(type);
    switch (H5Tget_class(type)) {
        case H5T_FLOAT:
            return fmt::format("float{}", bits);
        case H5T_INTEGER:
            return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
        case H5T_ENUM:
            return is_boolean(type) ? "bool" : "enum";
        case H5T_STRING:
            return "string";
        case H5T_COMPOUND:
            return "compound";
        case H5T_BITFIELD:
            return fmt::format("bitfield{}", bits);
        default:
            return "other";
    }
}

Shape shape_of(hid_t set) {
    const hdf5::Space space(H5Dget_space(set));
    const int rank = H5Sget_simple_extent_ndims(space.get());
    std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(rank, 0)));
    if (rank > 0) H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
    return {dims.begin(), dims.end()};
}

ColumnFacts facts_of(hid_t set, const std::string& name) {
    const hdf5::Type type(H5Dget_type(set));
    return {name, dtype_name(type.get()), shape_of(set), false};
}

// Callback of H5Ovisit: exceptions must not pass through the library, and none are thrown here but
// for memory, which ends the program either way.
herr_t list_dataset(hid_t file, const char* name, const H5O_info_t* info, void* out) noexcept {
    if (info->type != H5O_TYPE_DATASET) return 0;
    const hdf5::Set set(H5Dopen2(file, name, H5P_DEFAULT));
    if (set) static_cast<std::vector<ColumnFacts>*>(out)->push_back(facts_of(set.get(), name));
    return 0;
}

std::vector<ColumnFacts> list_contents(hid_t file) {
    std::vector<ColumnFacts> facts;
    if (H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, list_dataset, &facts) < 0) {
        throw Error(
            fmt::format("expected a readable table of contents, got \"{}\"; the file is "
                        "damaged",
                        hdf5::last_error()));
    }
    std::sort(facts.begin(), facts.end(),
              [](const ColumnFacts& a, const ColumnFacts& b) { return a.name < b.name; });
    return facts;
}

std::string read_string(hid_t attribute, hid_t type) {
    if (H5Tis_variable_str(type) > 0) {
        const hdf5::Type memory(H5Tcopy(type));
        char* text = nullptr;
        if (H5Aread(attribute, memory.get(), &text) < 0 || text == nullptr) return "";
        std::string result = text;
        H5free_memory(text);
        return result;
    }
    std::string result(H5Tget_size(type), '\0');
    if (H5Aread(attribute, type, result.data()) < 0) return "";
    return result.substr(0, result.find('\0'));
}

template <class T>
std::string read_number(hid_t attribute, hid_t memory) {
    T value{};
    return H5Aread(attribute, memory, &value) < 0 ? "" : fmt::format("{}", value);
}

// Scalars become text; attributes of other kinds are left out.
herr_t list_attribute(hid_t file, const char* name, const H5A_info_t*, void* out) noexcept {
    const hdf5::Attribute attribute(H5Aopen(file, name, H5P_DEFAULT));
    if (!attribute) return 0;
    const hdf5::Space space(H5Aget_space(attribute.get()));
    if (H5Sget_simple_extent_npoints(space.get()) != 1) return 0;
    const hdf5::Type type(H5Aget_type(attribute.get()));
    auto& attributes = *static_cast<std::map<std::string, std::string>*>(out);
    switch (H5Tget_class(type.get())) {
        case H5T_STRING:
            attributes[name] = read_string(attribute.get(), type.get());
            break;
        case H5T_FLOAT:
            attributes[name] = read_number<double>(attribute.get(), H5T_NATIVE_DOUBLE);
            break;
        case H5T_INTEGER:
            attributes[name] = read_number<std::int64_t>(attribute.get(), H5T_NATIVE_INT64);
            break;
        case H5T_ENUM:
            attributes[name] = read_number<int>(attribute.get(), H5T_NATIVE_INT);
            break;
        default:
            break;
    }
    return 0;
}

// The columns of one open file.
class ColumnReader {
  public:
    ColumnReader(hid_t file, Dataset& out) : file_(file), out_(out) {}

    bool has(const char* name) const { return H5Lexists(file_, name, H5P_DEFAULT) > 0; }

    void require(std::initializer_list<const char*> names) const {
        std::vector<std::string> missing, present;
        for (const char* name : names) {
            if (!has(name)) missing.push_back(name);
        }
        if (missing.empty()) return;
        for (const ColumnFacts& facts : out_.raw_facts) present.push_back(facts.name);
        throw Error(
            fmt::format("expected the columns observations, actions, rewards and terminals "
                        "at the root, got none called {}; the file holds: {}",
                        fmt::join(missing, ", "),
                        present.empty() ? "nothing" : fmt::format("{}", fmt::join(present, ", "))));
    }

    // A matrix of numbers. Sizes that are 0 so far are set by it, others must agree.
    void matrix(const char* name, std::int64_t& width, std::vector<float>& column) {
        const hdf5::Set set = open(name);
        const ColumnFacts facts = use(set, name);
        const Shape& shape = facts.shape;
        if (shape.size() != 2) refuse(facts, "a matrix, one row per step");
        if (out_.rows == 0) out_.rows = shape[0];
        if (width == 0) width = shape[1];
        if (shape[0] == 0 || shape[1] == 0) refuse(facts, "at least one row and one number in it");
        if (shape[0] != out_.rows || shape[1] != width) {
            refuse(facts, fmt::format("({}, {}) like the columns before it", out_.rows, width));
        }
        read_numbers(set, facts, column);
    }

    // A vector of numbers, (rows) or (rows, 1).
    void vector(const char* name, std::vector<float>& column) {
        const hdf5::Set set = open(name);
        const ColumnFacts facts = use(set, name);
        expect_vector(facts);
        read_numbers(set, facts, column);
    }

    // As vector(), reduced to 0 and 1.
    void flags(const char* name, std::vector<std::uint8_t>& column) {
        const hdf5::Set set = open(name);
        const ColumnFacts facts = use(set, name);
        expect_vector(facts);
        column.resize(static_cast<std::size_t>(out_.rows));
        constexpr std::int64_t kBlock = 1 << 18;
        std::vector<float> block(static_cast<std::size_t>(std::min(kBlock, out_.rows)));
        for (std::int64_t first = 0; first < out_.rows; first += kBlock) {
            const std::int64_t count = std::min(kBlock, out_.rows - first);
            read_rows(set, facts, first, count, block.data());
            for (std::int64_t i = 0; i < count; ++i) {
                const float value = block[static_cast<std::size_t>(i)];
                if (std::isnan(value)) {
                    throw Error(
                        fmt::format("expected flags in {}, got nan in row {}", name, first + i));
                }
                column[static_cast<std::size_t>(first + i)] = value != 0 ? 1 : 0;
            }
        }
    }

  private:
    hdf5::Set open(const char* name) const {
        hdf5::Set set(H5Dopen2(file_, name, H5P_DEFAULT));
        if (!set) {
            throw Error(
                fmt::format("expected {} to be an array, got something that does not open "
                            "as one: {}",
                            name, hdf5::last_error()));
        }
        return set;
    }

    // Marks the column as used and refuses types that are not numbers.
    ColumnFacts use(const hdf5::Set& set, const char* name) {
        for (ColumnFacts& facts : out_.raw_facts) {
            if (facts.name == name) facts.used = true;
        }
        ColumnFacts facts = facts_of(set.get(), name);
        const hdf5::Type type(H5Dget_type(set.get()));
        const H5T_class_t kind = H5Tget_class(type.get());
        if (kind != H5T_FLOAT && kind != H5T_INTEGER && kind != H5T_ENUM) {
            throw Error(
                fmt::format("expected {} to hold numbers or flags, got {}", name, facts.dtype));
        }
        return facts;
    }

    [[noreturn]] static void refuse(const ColumnFacts& facts, const std::string& expected) {
        throw Error(
            fmt::format("expected {} to have the shape of {}, got ({}); the file is not in "
                        "D4RL's flat layout",
                        facts.name, expected, fmt::join(facts.shape, ", ")));
    }

    void expect_vector(const ColumnFacts& facts) const {
        const Shape& s = facts.shape;
        const bool fits =
            !s.empty() && s[0] == out_.rows && (s.size() == 1 || (s.size() == 2 && s[1] == 1));
        if (!fits) refuse(facts, fmt::format("({}) like the columns before it", out_.rows));
    }

    static void read_numbers(const hdf5::Set& set, const ColumnFacts& facts,
                             std::vector<float>& column) {
        const std::int64_t width = facts.shape.size() == 2 ? facts.shape[1] : 1;
        // Checked before it is taken: an allocation succeeds and the kernel kills the program
        // later.
        const double wanted =
            4.0 * static_cast<double>(facts.shape[0]) * static_cast<double>(width);
        if (wanted > physical_memory()) {
            throw Error(fmt::format(
                "expected columns that fit into {:.3g} GiB of memory, got {} with "
                "({}), {:.3g} GiB",
                physical_memory() / kGiB, facts.name, fmt::join(facts.shape, ", "), wanted / kGiB));
        }
        column.resize(static_cast<std::size_t>(facts.shape[0] * width));
        if (H5Dread(set.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, column.data()) <
            0) {
            damaged(facts);
        }
    }

    static void read_rows(const hdf5::Set& set, const ColumnFacts& facts, std::int64_t first,
                          std::int64_t count, float* out) {
        const hsize_t start[2] = {static_cast<hsize_t>(first), 0};
        const hsize_t extent[2] = {static_cast<hsize_t>(count), 1};
        const hdf5::Space source(H5Dget_space(set.get()));
        const hdf5::Space target(
            H5Screate_simple(static_cast<int>(facts.shape.size()), extent, nullptr));
        if (H5Sselect_hyperslab(source.get(), H5S_SELECT_SET, start, nullptr, extent, nullptr) <
                0 ||
            H5Dread(set.get(), H5T_NATIVE_FLOAT, target.get(), source.get(), H5P_DEFAULT, out) <
                0) {
            damaged(facts);
        }
    }

    [[noreturn]] static void damaged(const ColumnFacts& facts) {
        throw Error(
            fmt::format("expected {} ({}) to be readable, got \"{}\"; the file is damaged, "
                        "fetch it again",
                        facts.name, facts.dtype, hdf5::last_error()));
    }

    hid_t file_;
    Dataset& out_;
};

Dataset read_file(const std::string& path) {
    Dataset out;
    out.path = path;
    out.sha256 = sha256_of(path);

    const hdf5::Session session;
    const hdf5::File file = open_file(path);
    out.raw_facts = list_contents(file.get());
    H5Aiterate2(file.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, list_attribute, &out.attributes);

    ColumnReader read(file.get(), out);
    read.require({"observations", "actions", "rewards", "terminals"});
    read.matrix("observations", out.observation_size, out.observations);
    read.matrix("actions", out.action_size, out.actions);
    read.vector("rewards", out.rewards);
    read.flags("terminals", out.terminals);
    if (read.has("next_observations")) {
        read.matrix("next_observations", out.observation_size, out.next_observations);
    }
    if (read.has("timeouts")) read.flags("timeouts", out.timeouts);
    validate(out);
    return out;
}

}  // namespace

Dataset read_d4rl(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        throw Error(fmt::format("[data] expected an HDF5 file, got the folder {}", path),
                    ErrorKind::usage);
    }
    const auto say_file = [&path](std::string text) {
        constexpr const char* kPrefix = "[data] ";
        if (text.starts_with(kPrefix)) text.erase(0, std::strlen(kPrefix));
        return fmt::format("{}{} (file {})", kPrefix, text, path);
    };
    try {
        return read_file(path);
    } catch (const Error& error) {
        throw Error(say_file(error.what()), error.kind());
    } catch (const std::bad_alloc&) {
        throw Error(say_file("expected columns that fit into memory, got larger ones"));
    }
}

}  // namespace drydock::data
