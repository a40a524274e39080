// The tables of a run folder, metrics.csv and evaluations.csv: written row by row, and cut back to
// a checkpoint when a run goes on. The first column of both is the update.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "envs/environment.h"
#include "training/evaluation.h"

namespace drydock::training {

// A CSV file that grows by whole rows.
class CsvFile {
  public:
    // Begins the file with a header and the rows that it keeps, in place of what was there. Throws
    // Error when it cannot be written.
    CsvFile(std::string path, const std::string& header, const std::vector<std::string>& rows = {});
    CsvFile(CsvFile&& other) noexcept;
    CsvFile& operator=(CsvFile&&) = delete;
    ~CsvFile();

    void add(const std::string& row);
    // Returns when all rows are on the disk.
    void sync();

  private:
    [[noreturn]] void refuse(int error) const;

    std::string path_;
    int file_ = -1;
};

// The rows of a table below its header; a last line that a killed process left without its end is
// not one. No rows where there is no file.
std::vector<std::string> read_rows(const std::string& path);

// The update that a row begins with. Throws Error naming `path` when there is none.
std::int64_t step_of(const std::string& row, const std::string& path);

// A further cell of metrics.csv, with the comma before it; empty where there is no value.
std::string metric_cell(const std::optional<double>& value);

constexpr const char* kEvaluationsHeader = "step,episode,seed,return,length,score";
// The row of one episode.
std::string evaluation_row(std::int64_t step, const Evaluation& evaluation,
                           const EpisodeResult& episode);
void add_rows(CsvFile& file, std::int64_t step, const Evaluation& evaluation);

// The evaluations that the rows of an evaluations.csv hold, by update, to the same bits. Throws
// Error naming `path` for a row of another form.
std::map<std::int64_t, Evaluation> parse_evaluations(const std::vector<std::string>& rows,
                                                     const std::string& path,
                                                     const envs::EnvironmentInfo& environment);

}  // namespace drydock::training
