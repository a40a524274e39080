#include "apps/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

#include "core/safetensors.h"

namespace drydock::apps {

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

nlohmann::ordered_json json_number(double value) {
    if (!std::isfinite(value)) return nullptr;
    return value;
}

}  // namespace drydock::apps
