// The files of a run and their forms; training/README.md describes them.
#pragma once

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "training/evaluation.h"

namespace drydock::training {

// A CSV file that is written row by row, each on disk's cache before the next update.
class CsvFile {
  public:
    // Begins the file. Throws Error when it cannot be written.
    CsvFile(std::string path, const std::string& header);
    void add(const std::string& row);

  private:
    std::string path_;
    std::ofstream file_;
};

class RunFolder {
  public:
    // Throws Error (usage) when `path` is empty, or is a folder with files in it and not
    // `overwrite`, or something else than a folder.
    RunFolder(const std::string& path, bool overwrite);

    // Makes the folder, without the files of an earlier run. Throws Error when that fails.
    void create() const;
    std::string file(const char* name) const { return path_ + "/" + name; }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// A row per episode for evaluations.csv.
constexpr const char* kEvaluationsHeader = "step,episode,seed,return,length,score";
void add_rows(CsvFile& file, std::int64_t step, const Evaluation& evaluation);

}  // namespace drydock::training
