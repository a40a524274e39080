// A run's folder: who may use it, and what lies in it. training/README.md describes the files.
#pragma once

#include <string>
#include <vector>

namespace drydock::training {

class RunFolder {
  public:
    // A folder for a new run. Throws Error (usage) when `path` is empty, or is a folder with files
    // in it and not `overwrite`, or something else than a folder. Touches nothing.
    static RunFolder for_new_run(const std::string& path, bool overwrite);
    // The folder of an earlier run, locked, without the files that a killed process left half
    // written. Throws Error (usage) when there is no run in it, Error when another process has it.
    static RunFolder of_earlier_run(const std::string& path);

    RunFolder(RunFolder&& other) noexcept;
    RunFolder& operator=(RunFolder&&) = delete;
    ~RunFolder();  // gives the lock back

    // Makes the folder of a new run and locks it, and removes the files of an earlier run. Throws
    // Error when that fails.
    void create();
    // Takes back what create() made, where a run ends before its first update.
    void abandon() noexcept;

    std::string file(const char* name) const { return path_ + "/" + name; }
    bool has(const char* name) const;
    const std::string& path() const { return path_; }

  private:
    explicit RunFolder(std::string path) : path_(std::move(path)) {}
    void lock();
    void remove_files() const;
    void remove_partial_files() const;

    std::string path_;
    int lock_ = -1;                  // descriptor of the folder, held with flock
    std::vector<std::string> made_;  // folders that create() made, the deepest first
};

}  // namespace drydock::training
