#include "training/run_tables.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <span>
#include <utility>

#include "base/error.h"
#include "core/safetensors.h"

namespace drydock::training {
namespace {

// The next field of a row as a number, cut off its front; false where it is none.
template <class T>
bool take_number(std::string_view& row, T& value) {
    const std::size_t end = std::min(row.find(','), row.size());
    const auto parsed = std::from_chars(row.data(), row.data() + end, value);
    const bool whole = end > 0 && parsed.ec == std::errc() && parsed.ptr == row.data() + end;
    row.remove_prefix(std::min(end + 1, row.size()));
    return whole;
}

}  // namespace

CsvFile::CsvFile(std::string path, const std::string& header, const std::vector<std::string>& rows)
    : path_(std::move(path)) {
    std::string text = header + "\n";
    for (const std::string& row : rows) text += row + "\n";
    write_atomically(path_, std::as_bytes(std::span(text)));
    file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file_ < 0) refuse(errno);
}

CsvFile::CsvFile(CsvFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

CsvFile::~CsvFile() {
    if (file_ >= 0) ::close(file_);
}

void CsvFile::refuse(int error) const {
    throw Error(fmt::format("[write] could not write '{}': {}", path_, std::strerror(error)),
                ErrorKind::disk);
}

void CsvFile::add(const std::string& row) {
    const std::string line = row + "\n";
    for (std::size_t at = 0; at < line.size();) {
        const ssize_t n = ::write(file_, line.data() + at, line.size() - at);
        if (n > 0) at += static_cast<std::size_t>(n);
        if (n < 0 && errno != EINTR) refuse(errno);
    }
}

void CsvFile::sync() {
    if (::fdatasync(file_) != 0) refuse(errno);
}

std::vector<std::string> read_rows(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) return {};
    const std::vector<std::byte> bytes = read_bytes(path);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::vector<std::string> rows;
    bool header = true;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string_view::npos;
         at = end + 1) {
        if (!header && end > at) rows.emplace_back(text.substr(at, end - at));
        header = false;
    }
    return rows;
}

std::int64_t step_of(const std::string& row, const std::string& path) {
    std::string_view rest = row;
    std::int64_t step = 0;
    if (take_number(rest, step)) return step;
    throw Error(
        fmt::format("[resume] expected a row of '{}' to begin with an update, got '{}'; "
                    "take the row out",
                    path, row));
}

std::string metric_cell(const std::optional<double>& value) {
    return value ? fmt::format(",{:.9g}", *value) : ",";
}

std::string evaluation_row(std::int64_t step, const Evaluation& evaluation,
                           const EpisodeResult& r) {
    return fmt::format("{},{},{},{},{},{}", step, r.episode, evaluation.seed, r.episode_return,
                       r.length, r.score ? fmt::format("{}", *r.score) : "");
}

void add_rows(CsvFile& file, std::int64_t step, const Evaluation& evaluation) {
    for (const EpisodeResult& r : evaluation.episodes) {
        file.add(evaluation_row(step, evaluation, r));
    }
}

std::map<std::int64_t, Evaluation> parse_evaluations(const std::vector<std::string>& rows,
                                                     const std::string& path,
                                                     const envs::EnvironmentInfo& environment) {
    std::map<std::int64_t, Evaluation> evaluations;
    for (const std::string& row : rows) {
        std::string_view rest = row;
        std::int64_t step = 0;
        EpisodeResult r;
        std::uint64_t seed = 0;
        if (!take_number(rest, step) || !take_number(rest, r.episode) || !take_number(rest, seed) ||
            !take_number(rest, r.episode_return) || !take_number(rest, r.length)) {
            throw Error(
                fmt::format("[resume] expected rows of {} in '{}', got '{}'; take the row "
                            "out",
                            kEvaluationsHeader, path, row));
        }
        r.score = envs::normalized_score(environment, r.episode_return);
        Evaluation& e = evaluations[step];
        e.environment = environment.name;
        e.seed = seed;
        e.episodes.push_back(r);
    }
    for (auto& [step, evaluation] : evaluations) summarize(evaluation, environment);
    return evaluations;
}

}  // namespace drydock::training
