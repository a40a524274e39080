// A run's folder: who may use it, and what lies in it. training/README.md describes the files.
//
// A run that takes the place of another (`overwrite`) never loses both: the old files move into the
// folder .earlier, config.toml first, and are removed, config.toml last, once the new config.toml
// is there. Whoever opens the folder next sees from these two which run it is, and settles it.
#pragma once

#include <string>
#include <vector>

namespace drydock::training {

class RunFolder {
  public:
    // A folder for a new run. Throws Error (usage) when `path` is empty, is something else than a
    // folder, or is a folder with files in it; with `overwrite` only when these are not a run's.
    // Touches nothing.
    static RunFolder for_new_run(const std::string& path, bool overwrite);
    // The folder of an earlier run, locked, without the files that a killed process left half
    // written. Throws Error (usage) when there is no run in it, Error when another process has it.
    static RunFolder of_earlier_run(const std::string& path);

    RunFolder(RunFolder&& other) noexcept;
    RunFolder& operator=(RunFolder&&) = delete;
    ~RunFolder();  // gives the lock back

    // Makes the folder of a new run and locks it. The files of a run that it takes the place of are
    // set aside. Throws Error when that fails, or another process was faster.
    void create();
    // The new run has its config.toml: what was set aside goes.
    void commit() noexcept;
    // Takes back what create() did, where a run ends before its first update.
    void abandon() noexcept;

    std::string file(const char* name) const { return path_ + "/" + name; }
    bool has(const char* name) const;
    const std::string& path() const { return path_; }

  private:
    RunFolder(std::string path, bool overwrite) : path_(std::move(path)), overwrite_(overwrite) {}
    void check_free() const;
    void lock();
    void set_aside();
    void settle();
    void remove_files(const std::string& folder) const;

    std::string path_;
    bool overwrite_ = false;
    int lock_ = -1;                  // descriptor of the folder, held with flock
    bool ours_ = false;              // create() has it for this run
    std::vector<std::string> made_;  // folders that create() made, the deepest first
};

}  // namespace drydock::training
