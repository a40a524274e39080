#include "training/run_folder.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"

namespace drydock::training {
namespace {

constexpr const char* kFiles[] = {"config.toml",        "metrics.csv",
                                  "evaluations.csv",    "checkpoint.safetensors",
                                  "policy.safetensors", "result.json"};

}  // namespace

CsvFile::CsvFile(std::string path, const std::string& header)
    : path_(std::move(path)), file_(path_, std::ios::trunc) {
    add(header);
}

void CsvFile::add(const std::string& row) {
    file_ << row << '\n' << std::flush;
    if (!file_) {
        throw Error(fmt::format("[write] could not write '{}'; the disk may be full", path_));
    }
}

RunFolder::RunFolder(const std::string& path, bool overwrite) : path_(path) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (path.empty())
        throw Error("[train] expected a folder for the run, got none; give --out",
                    ErrorKind::usage);
    if (!fs::exists(path, error)) return;
    if (!fs::is_directory(path, error)) {
        throw Error(fmt::format("[train] expected a folder for the run, but '{}' is a file", path),
                    ErrorKind::usage);
    }
    if (!overwrite && !fs::is_empty(path, error)) {
        throw Error(
            fmt::format("[train] expected '{}' to be absent or empty, but there are files in "
                        "it; give another --out, or --overwrite",
                        path),
            ErrorKind::usage);
    }
}

void RunFolder::create() const {
    namespace fs = std::filesystem;
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) {
        throw Error(
            fmt::format("[train] could not make the folder '{}': {}", path_, error.message()));
    }
    for (const char* name : kFiles) fs::remove(file(name), error);
}

void add_rows(CsvFile& file, std::int64_t step, const Evaluation& evaluation) {
    for (const EpisodeResult& r : evaluation.episodes) {
        file.add(fmt::format("{},{},{},{},{},{}", step, r.episode, evaluation.seed,
                             r.episode_return, r.length,
                             r.score ? fmt::format("{}", *r.score) : ""));
    }
}

}  // namespace drydock::training
