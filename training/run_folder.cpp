#include "training/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/error.h"

namespace drydock::training {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles[] = {"config.toml",        "metrics.csv",
                                  "evaluations.csv",    "checkpoint.safetensors",
                                  "policy.safetensors", "result.json"};
// A process that was killed a moment ago may still be going away.
constexpr int kLockTries = 60;
constexpr auto kLockPause = std::chrono::milliseconds(50);

}  // namespace

RunFolder RunFolder::for_new_run(const std::string& path, bool overwrite) {
    std::error_code error;
    if (path.empty()) {
        throw Error("[train] expected a folder for the run, got none; give --out",
                    ErrorKind::usage);
    }
    if (fs::exists(path, error) && !fs::is_directory(path, error)) {
        throw Error(fmt::format("[train] expected a folder for the run, but '{}' is a file", path),
                    ErrorKind::usage);
    }
    if (fs::exists(path, error) && !overwrite && !fs::is_empty(path, error)) {
        throw Error(
            fmt::format("[train] expected '{}' to be absent or empty, but there are files in "
                        "it; go on with `drydock resume {}`, give another --out, or --overwrite",
                        path, path),
            ErrorKind::usage);
    }
    return RunFolder(path);
}

RunFolder RunFolder::of_earlier_run(const std::string& path) {
    std::error_code error;
    RunFolder folder(path);
    if (!fs::is_directory(path, error)) {
        throw Error(fmt::format("[resume] expected the folder of a run, but '{}' is none; "
                                "`drydock train --out {}` starts one",
                                path, path),
                    ErrorKind::usage);
    }
    if (!folder.has("config.toml")) {
        throw Error(fmt::format("[resume] expected config.toml in '{}', there is none: no run was "
                                "started there; start one with `drydock train --out {}`",
                                path, path),
                    ErrorKind::usage);
    }
    folder.lock();
    folder.remove_partial_files();
    return folder;
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      made_(std::move(other.made_)) {}

RunFolder::~RunFolder() {
    if (lock_ >= 0) ::close(lock_);
}

void RunFolder::create() {
    std::error_code error;
    for (fs::path p = path_; !p.empty() && !fs::exists(p, error); p = p.parent_path()) {
        made_.push_back(p.string());
    }
    fs::create_directories(path_, error);
    if (error) {
        throw Error(
            fmt::format("[train] could not make the folder '{}': {}", path_, error.message()));
    }
    lock();
    remove_files();
}

void RunFolder::abandon() noexcept {
    if (lock_ < 0) return;
    try {
        remove_files();
        std::error_code ignored;
        for (const std::string& folder : made_) fs::remove(folder, ignored);
    } catch (const std::bad_alloc&) {  // the folder stays, which `train --overwrite` can take
    }
}

bool RunFolder::has(const char* name) const {
    std::error_code error;
    return fs::exists(file(name), error);
}

void RunFolder::lock() {
    lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ < 0) {
        throw Error(
            fmt::format("[train] could not open the folder '{}': {}", path_, std::strerror(errno)));
    }
    for (int i = 0; ::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; ++i) {
        if (i == kLockTries) {
            throw Error(
                fmt::format("[train] expected '{}' for this run alone, but another process "
                            "trains in it; wait for it, or stop it",
                            path_));
        }
        std::this_thread::sleep_for(kLockPause);
    }  // where a file system has no locks, there is none
}

void RunFolder::remove_files() const {
    std::error_code ignored;
    for (const char* name : kFiles) fs::remove(file(name), ignored);
    remove_partial_files();
}

// What write_atomically() names its temporary files.
void RunFolder::remove_partial_files() const {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_, ignored)) {
        const std::string name = entry.path().filename().string();
        if (!name.ends_with(".part")) continue;
        for (const char* file : kFiles) {
            if (name.starts_with(std::string(file) + ".")) fs::remove(entry.path(), ignored);
        }
    }
}

}  // namespace drydock::training
