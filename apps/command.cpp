#include "apps/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/error.h"
#include "core/safetensors.h"

namespace drydock::apps {

CLI::Validator above_zero() {
    const auto check = [](const std::string& text) {
        double value = 0;
        const char* const end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, value);
        if (parsed.ec == std::errc() && parsed.ptr == end && value > 0) return std::string();
        return fmt::format("expected a number above 0, got '{}'", text);
    };
    return CLI::Validator(check, "");
}

CLI::Validator whole_number(std::int64_t low) {
    const auto check = [low](std::string& text) {
        std::string digits = text;
        digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
        std::int64_t whole = 0;
        const char* const end = digits.data() + digits.size();
        auto parsed = std::from_chars(digits.data(), end, whole);
        bool valid = parsed.ec == std::errc() && parsed.ptr == end;
        if (!valid) {  // 1e6
            double value = 0;
            parsed = std::from_chars(digits.data(), end, value);
            valid = parsed.ec == std::errc() && parsed.ptr == end && value == std::floor(value) &&
                    std::fabs(value) <= 9e15;
            if (valid) whole = static_cast<std::int64_t>(value);
        }
        if (!valid || whole < low) {
            return fmt::format("expected a whole number from {} on, got '{}'", low, text);
        }
        text = std::to_string(whole);
        return std::string();
    };
    return CLI::Validator(check, "");
}

void write_json(const std::string& path, const nlohmann::ordered_json& facts) {
    const std::string text = facts.dump(2) + "\n";
    write_atomically(path, std::as_bytes(std::span(text)));
}

void check_writable(const std::string& option, const std::string& path) {
    namespace fs = std::filesystem;
    const auto refuse = [&](const std::string& problem) {
        throw Error(fmt::format("expected {} to name a file that can be written, got {}; {}",
                                option, path, problem),
                    ErrorKind::usage);
    };
    std::error_code error;
    const fs::file_status there = fs::status(path, error);
    if (fs::is_directory(there)) refuse("a folder has that name");
    if (fs::exists(there) && !fs::is_regular_file(there)) refuse("what has that name is no file");
    const fs::path folder = fs::path(path).parent_path();
    if (!folder.empty() && !fs::is_directory(folder, error)) {
        throw Error(fmt::format("expected the folder of {} to exist; make it first", path),
                    ErrorKind::usage);
    }
    // Only a try tells: permissions are not all that may be in the way.
    const std::string trial = fmt::format("{}.{}.trial", path, ::getpid());
    const int file = ::open(trial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        throw Error(fmt::format("could not write {}: {}; choose another place for {}", path,
                                std::strerror(errno), option));
    }
    ::close(file);
    ::unlink(trial.c_str());
}

nlohmann::ordered_json json_number(double value) {
    if (!std::isfinite(value)) return nullptr;
    return value;
}

}  // namespace drydock::apps
