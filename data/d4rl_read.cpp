// Reading: processes of their own let the HDF5 library look at the file (d4rl_child.h) and send the
// columns, while this one takes them (d4rl_receive.h) and hashes the file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>

#include "base/error.h"
#include "base/sha256.h"
#include "data/d4rl.h"
#include "data/d4rl_child.h"
#include "data/d4rl_receive.h"
#include "data/hdf5.h"
#include "data/memory_limit.h"

namespace drydock::data {
namespace {

constexpr std::int64_t kMostActions = 65536;       // to choose from
constexpr std::uint64_t kParallelBytes = 1 << 22;  // a smaller file is read before a fork pays off
constexpr int kMostReaders = 4;
constexpr std::size_t kHashBytes = 1 << 18;  // at once, between two looks at the readers

const char* kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "the folder";
    if (S_ISFIFO(mode)) return "the pipe";
    if (S_ISSOCK(mode)) return "the socket";
    return "the device";
}

// The file as this process sees it: hashed through one descriptor, and watched for changes.
class InputFile {
  public:
    explicit InputFile(const std::string& path) : path_(path) {
        // Without O_NONBLOCK, a pipe without a writer would be waited for.
        descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (descriptor_ < 0 || fstat(descriptor_, &before_) != 0) {
            const int reason = errno;
            close_file();
            throw Error(fmt::format("expected a readable file, got \"{}\"", std::strerror(reason)),
                        ErrorKind::usage);
        }
        if (!S_ISREG(before_.st_mode)) {
            close_file();
            throw Error(fmt::format("expected an HDF5 file, got {}", kind_of(before_.st_mode)),
                        ErrorKind::usage);
        }
    }
    ~InputFile() { close_file(); }
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    // A name that leads a child to the very file that is open here, whatever `path` means by now or
    // there (as /dev/stdin does); `path` where the system has no such names.
    std::string name_for_child() const {
        std::string name = fmt::format("/proc/{}/fd/{}", getpid(), descriptor_);
        return access(name.c_str(), R_OK) == 0 ? name : path_;
    }
    std::uint64_t size() const { return static_cast<std::uint64_t>(before_.st_size); }
    bool hashed() const { return hashed_; }

    // Reads and hashes the next bytes.
    void hash_some() {
        block_.resize(std::min<std::size_t>(kHashBytes, size() + 1));
        const ssize_t count = read(descriptor_, block_.data(), block_.size());
        if (count < 0 && errno == EINTR) return;
        if (count < 0) {
            throw Error(
                fmt::format("expected to read the whole file, got \"{}\"", std::strerror(errno)));
        }
        hash_.update(block_.data(), static_cast<std::size_t>(count));
        hashed_ = count == 0;
    }

    std::string sha256() {
        char text[Sha256::kHexLength + 1];
        hash_.finish_hex(text);
        return text;
    }

    // The name may lead to another file by now, or this one may have been written to.
    bool changed() const {
        struct stat held {
        }, named{};
        if (fstat(descriptor_, &held) != 0 || stat(path_.c_str(), &named) != 0) return true;
        const auto differs = [&](const struct stat& now) {
            return now.st_dev != before_.st_dev || now.st_ino != before_.st_ino ||
                   now.st_size != before_.st_size || now.st_mtim.tv_sec != before_.st_mtim.tv_sec ||
                   now.st_mtim.tv_nsec != before_.st_mtim.tv_nsec;
        };
        return differs(held) || differs(named);
    }

  private:
    void close_file() {
        if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
    }

    const std::string& path_;
    int descriptor_ = -1;
    struct stat before_ {};
    Sha256 hash_;
    std::vector<char> block_;
    bool hashed_ = false;
};

int processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

// What an honest file of that size needs in the worst case, and some: a chunk is decoded at a
// hundred MB per second and more, and the tables of contents are part of the file.
ChildLimits limits_for(std::uint64_t file_bytes) {
    ChildLimits limits;
    limits.cpu_seconds = 5 + static_cast<double>(file_bytes >> 22);
    limits.memory = (std::uint64_t{1} << 28) + 2 * file_bytes;
    return limits;
}

std::vector<ChildProcess> start_readers(ReadingTask task, const ChildLimits& limits) {
    // No other thread is inside the library at the fork, and it prints nothing after it.
    const hdf5::Session session;
    std::vector<ChildProcess> readers;
    for (task.reader = 0; task.reader < task.readers; ++task.reader) {
        readers.emplace_back([&task](ChildChannel& channel) { read_in_child(task, channel); },
                             limits);
    }
    return readers;
}

// Takes messages as they come and hashes while there are none.
void receive_all(std::vector<ChildProcess>& readers, Receiver& receiver, InputFile& file) {
    std::vector<pollfd> waits(readers.size());
    std::size_t open = readers.size();
    for (std::size_t i = 0; i < readers.size(); ++i)
        waits[i] = {readers[i].descriptor(), POLLIN, 0};
    for (int silent = 0; open > 0;) {
        const int ready = wait_for_children(waits, file.hashed());
        if (ready <= 0) {
            if (!file.hashed()) {
                file.hash_some();
            } else if (ready == 0 && ++silent == kSilentPolls) {
                ChildProcess::report_silence(silent);
            }
            continue;
        }
        silent = 0;
        for (std::size_t i = 0; i < waits.size(); ++i) {
            if (waits[i].revents == 0 || receiver.take(readers[i], static_cast<int>(i))) continue;
            waits[i].fd = -1;
            --open;
        }
    }
    while (!file.hashed()) file.hash_some();
}

// How many there are to choose from: what the file says, or as many as it shows.
std::int64_t count_actions(const Dataset& data) {
    const auto said = data.attributes.find("action_count");
    if (said != data.attributes.end()) {
        const std::int64_t count = std::strtoll(said->second.c_str(), nullptr, 10);
        if (count > 0 && count <= kMostActions) return count;
    }
    const float largest = *std::max_element(data.actions.begin(), data.actions.end());
    if (!(largest < static_cast<float>(kMostActions))) {
        throw Error(
            fmt::format("expected integer actions below {}, got {}", kMostActions, largest));
    }
    return std::max<std::int64_t>(static_cast<std::int64_t>(largest) + 1, 2);
}

Dataset read_columns(const std::string& path, const ReadOptions& options, InputFile& file) {
    ReadingTask task;
    task.path = file.name_for_child();
    task.wanted.fill(true);
    task.wanted[kNextObservations] = options.next_observations;
    task.readers = options.readers > 0             ? options.readers
                   : file.size() >= kParallelBytes ? std::clamp(processors(), 1, kMostReaders)
                                                   : 1;
    Dataset out;
    out.path = path;
    const Room room{file.size(), memory_limit(), options.next_observations_made};
    Receiver receiver(out, task.wanted, task.readers, room);
    std::vector<ChildProcess> readers = start_readers(task, limits_for(file.size()));
    receiver.take_facts(readers.front());
    receive_all(readers, receiver, file);
    out.sha256 = file.sha256();
    if (out.action_count > 0) out.action_count = count_actions(out);
    return out;
}

Dataset read_file(const std::string& path, const ReadOptions& options) {
    InputFile file(path);
    std::optional<Dataset> out;
    std::optional<Error> failure;
    try {
        out = read_columns(path, options, file);
    } catch (const Error& error) {
        failure = error;
    }
    // Said first: what was read of such a file means nothing, failures included.
    if (file.changed()) {
        throw Error(
            "expected a file that nobody changes while it is read, got one that changed; wait "
            "until it is complete");
    }
    if (failure) throw Error(*failure);
    validate(*out);
    return *std::move(out);
}

}  // namespace

Dataset read_d4rl(const std::string& path, const ReadOptions& options) {
    const auto say_file = [&path](std::string text) {
        constexpr const char* kPrefix = "[data] ";
        if (text.starts_with(kPrefix)) text.erase(0, std::strlen(kPrefix));
        return fmt::format("{}{} (file {})", kPrefix, text, path);
    };
    try {
        return read_file(path, options);
    } catch (const Error& error) {
        throw Error(say_file(error.what()), error.kind());
    } catch (const std::bad_alloc&) {
        throw Error(say_file("expected columns that fit into memory, got larger ones"));
    }
}

}  // namespace drydock::data
