#include "training/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <thread>
#include <utility>

#include "base/error.h"

namespace drydock::training {
namespace {

namespace fs = std::filesystem;

// config.toml, which makes a folder a run's, is the first.
constexpr const char* kFiles[] = {"config.toml",
                                  "metrics.csv",
                                  "evaluations.csv",
                                  "target_evaluations.csv",
                                  "checkpoint.safetensors",
                                  "policy.safetensors",
                                  "result.json"};
constexpr const char* kAside = ".earlier";
// A process that was killed a moment ago may still be going away.
constexpr int kLockTries = 60;
constexpr auto kLockPause = std::chrono::milliseconds(50);

// What write_atomically() names its temporary files: NAME.PID.COUNT.part.
bool is_partial(const std::string& name) {
    return name.ends_with(".part") &&
           std::any_of(std::begin(kFiles), std::end(kFiles),
                       [&](const std::string& file) { return name.starts_with(file + "."); });
}

// Names in a folder, but for what a killed process left half written.
std::vector<std::string> names_in(const std::string& path) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(path, ignored)) {
        const std::string name = entry.path().filename().string();
        if (!is_partial(name)) names.push_back(name);
    }
    return names;
}

void move(const std::string& from, const std::string& to) {
    std::error_code error;
    fs::rename(from, to, error);
    if (!error || error == std::errc::no_such_file_or_directory) return;
    throw Error(fmt::format("[train] could not move '{}': {}", from, error.message()),
                ErrorKind::disk);
}

}  // namespace

RunFolder RunFolder::for_new_run(const std::string& path, bool overwrite) {
    std::string name = path;
    while (name.size() > 1 && name.ends_with('/')) name.pop_back();
    RunFolder folder(name, overwrite);
    folder.check_free();
    return folder;
}

void RunFolder::check_free() const {
    std::error_code error;
    if (path_.empty()) {
        throw Error("[train] expected a folder for the run, got none; give --out",
                    ErrorKind::usage);
    }
    if (fs::exists(path_, error) && !fs::is_directory(path_, error)) {
        throw Error(fmt::format("[train] expected a folder for the run, but '{}' is a file", path_),
                    ErrorKind::usage);
    }
    const std::vector<std::string> names = names_in(path_);
    const bool run = has("config.toml") || fs::exists(file(kAside), error);
    if (names.empty() || (run && overwrite_)) return;
    throw Error(fmt::format("[train] expected '{}' to be absent or empty, but there are files in "
                            "it; {}",
                            path_,
                            run ? fmt::format("go on with `drydock resume {}`, give another --out, "
                                              "or --overwrite",
                                              path_)
                                : "they are not a run's; give another --out"),
                ErrorKind::usage);
}

RunFolder RunFolder::of_earlier_run(const std::string& path) {
    std::error_code error;
    RunFolder folder(path, false);
    if (!fs::is_directory(path, error)) {
        throw Error(fmt::format("[resume] expected the folder of a run, but '{}' is none; "
                                "`drydock train --out {}` starts one",
                                path, path),
                    ErrorKind::usage);
    }
    folder.lock();
    folder.settle();
    if (!folder.has("config.toml")) {
        throw Error(fmt::format("[resume] expected config.toml in '{}', there is none: no run was "
                                "started there; start one with `drydock train --out {}`",
                                path, path),
                    ErrorKind::usage);
    }
    return folder;
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)),
      overwrite_(other.overwrite_),
      lock_(std::exchange(other.lock_, -1)),
      ours_(std::exchange(other.ours_, false)),
      made_(std::move(other.made_)) {}

RunFolder::~RunFolder() {
    if (lock_ >= 0) ::close(lock_);
}

void RunFolder::create() {
    std::error_code error;
    std::vector<std::string> missing;
    for (fs::path p = path_; !p.empty() && !fs::exists(p, error); p = p.parent_path()) {
        missing.push_back(p.string());
    }
    fs::create_directories(path_, error);
    if (error) {
        throw Error(
            fmt::format("[train] could not make the folder '{}': {}", path_, error.message()),
            ErrorKind::disk);
    }
    lock();
    check_free();  // somebody may have been faster
    made_ = std::move(missing);
    ours_ = true;
    settle();
    if (has("config.toml")) set_aside();
}

void RunFolder::set_aside() {
    std::error_code error;
    fs::create_directory(file(kAside), error);
    for (const char* name : kFiles) move(file(name), file(kAside) + "/" + name);
}

// Ends what a process that took the place of another run, and was killed, had begun: its
// config.toml says that the new run is there; without one the old run is put back.
void RunFolder::settle() {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_, error)) {
        if (is_partial(entry.path().filename().string())) fs::remove(entry.path(), error);
    }
    const std::string aside = file(kAside);
    if (!fs::exists(aside, error)) return;
    if (has("config.toml")) return remove_files(aside);
    for (auto name = std::rbegin(kFiles); name != std::rend(kFiles); ++name) {
        move(aside + "/" + *name, file(*name));
    }
    fs::remove(aside, error);
}

void RunFolder::commit() noexcept {
    try {
        remove_files(file(kAside));
    } catch (const std::bad_alloc&) {  // the next process will
    }
}

void RunFolder::abandon() noexcept {
    if (!ours_) return;
    try {
        std::error_code ignored;
        const bool old = fs::exists(file(kAside), ignored);
        // Without its config the new run has written nothing, and what is here is the old one's.
        if (!old || has("config.toml")) remove_files(path_);
        if (old) settle();
        for (const std::string& folder : made_) fs::remove(folder, ignored);
    } catch (const std::exception&) {  // the next process settles it
    }
}

bool RunFolder::has(const char* name) const {
    std::error_code error;
    return fs::exists(file(name), error);
}

void RunFolder::lock() {
    const int folder = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        throw Error(fmt::format("could not open the folder '{}': {}", path_, std::strerror(errno)));
    }
    for (int i = 0; ::flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; ++i) {
        if (i == kLockTries) {
            ::close(folder);
            throw Error(
                fmt::format("expected '{}' for this run alone, but another process trains "
                            "in it; wait for it, or stop it",
                            path_));
        }
        std::this_thread::sleep_for(kLockPause);
    }  // where a file system has no locks, there is none
    lock_ = folder;
}

// The files of a run in a folder, config.toml last; the folder too where nothing else is in it.
void RunFolder::remove_files(const std::string& folder) const {
    std::error_code ignored;
    for (auto name = std::rbegin(kFiles); name != std::rend(kFiles); ++name) {
        fs::remove(folder + "/" + *name, ignored);
    }
    if (folder != path_) fs::remove(folder, ignored);
}

}  // namespace drydock::training
