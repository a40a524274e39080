#include "algorithms/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"

namespace drydock::algorithms {
namespace {

constexpr std::int64_t kLargestLayer = 65536;

[[noreturn]] void refuse(const std::string& name, const std::string& want, const std::string& got) {
    throw Error(fmt::format("[settings] expected {} to be {}, got '{}'", name, want, got),
                ErrorKind::usage);
}

double parse_number(const std::string& name, const std::string& text, double none) {
    if (text == "null" && !std::isnan(none)) return none;
    if (text == "inf") return std::numeric_limits<double>::infinity();
    if (text == "-inf") return -std::numeric_limits<double>::infinity();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || std::isnan(value)) {
        refuse(name, "a number", text);
    }
    return value;
}

LayerSizes parse_layers(const std::string& name, const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    LayerSizes sizes;
    bool valid = json.is_object();
    if (valid) {
        for (const auto& [network, list] : json.items()) {
            valid = valid && list.is_array() && list.size() >= 2;
            if (!valid) break;
            for (const auto& size : list) {
                valid = valid && size.is_number_integer() && size.get<std::int64_t>() > 0 &&
                        size.get<std::int64_t>() <= kLargestLayer;
                if (valid) sizes[network].push_back(size.get<std::int64_t>());
            }
        }
    }
    if (!valid) refuse(name, "JSON like {\"q1\": [23, 256, 256, 1]}", text);
    return sizes;
}

std::string describe_range(const Settings::Limits& limits) {
    if (std::isinf(limits.low) && std::isinf(limits.high)) return "a number";
    if (std::isinf(limits.high)) {
        return fmt::format("a number {} {}", limits.open ? "above" : "from", limits.low);
    }
    return fmt::format("in {}{}, {}{}", limits.open ? '(' : '[', limits.low, limits.high,
                       limits.open ? ')' : ']');
}

void check_range(const std::string& name, double value, const Settings::Limits& limits,
                 const std::string& text) {
    const bool inside = limits.open
                            ? value > limits.low && (value < limits.high || std::isinf(limits.high))
                            : value >= limits.low && value <= limits.high;
    if (!inside) refuse(name, describe_range(limits), text);
}

void set_optional(const std::string& name, const std::string& text, const Settings::Limits& limits,
                  std::optional<double>& field) {
    if (text == "null") return field.reset();
    const double value = parse_number(name, text, limits.none);
    check_range(name, value, limits, text);
    field = value;
}

}  // namespace

std::optional<std::vector<double>> parse_numbers(const std::string& text) {
    std::vector<double> numbers;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        double value = 0;
        const auto [next, error] = std::from_chars(text.data() + at, text.data() + end, value);
        if (error != std::errc() || next != text.data() + end ||
            !std::isfinite(static_cast<float>(value)))
            return {};
        numbers.push_back(value);
        at = end + 1;
    }
    return numbers;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, change});
        }
    }
    return row.back();
}

void Settings::add(const std::string& name, Field field, const std::string& help, Limits limits) {
    names_.push_back(name);
    entries_[name] = {field, help, std::move(limits), {}};
    entries_[name].initial = get(name);
}

const Settings::Entry& Settings::entry(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found != entries_.end()) return found->second;
    const auto nearest =
        std::min_element(names_.begin(), names_.end(), [&](const auto& a, const auto& b) {
            return edit_distance(a, name) < edit_distance(b, name);
        });
    throw Error(
        fmt::format("[settings] '{}' is not a setting of this algorithm; did you mean '{}'? "
                    "The settings are: {}",
                    name, *nearest, fmt::join(names_, ", ")),
        ErrorKind::usage);
}

bool Settings::contains(const std::string& name) const { return entries_.contains(name); }
const std::string& Settings::help(const std::string& name) const { return entry(name).help; }

const char* Settings::type(const std::string& name) const {
    constexpr const char* kTypes[] = {"number", "integer", "boolean", "text", "layers", "number"};
    return kTypes[entry(name).field.index()];
}

void Settings::set(const std::string& name, const std::string& text) {
    const Entry& e = entry(name);
    if (auto* const* number = std::get_if<double*>(&e.field)) {
        const double value = parse_number(name, text, e.limits.none);
        check_range(name, value, e.limits, text);
        **number = value;
    } else if (auto* const* optional = std::get_if<std::optional<double>*>(&e.field)) {
        set_optional(name, text, e.limits, **optional);
    } else if (auto* const* integer = std::get_if<std::int64_t*>(&e.field)) {
        const double value =
            parse_number(name, text, e.limits.none);  // so that 1e6 is an integer too
        if (value != std::floor(value) || std::fabs(value) > 9e15) refuse(name, "an integer", text);
        check_range(name, value, e.limits, text);
        **integer = static_cast<std::int64_t>(value);
    } else if (auto* const* boolean = std::get_if<bool*>(&e.field)) {
        if (text != "true" && text != "false") refuse(name, "true or false", text);
        **boolean = text == "true";
    } else if (auto* const* word = std::get_if<std::string*>(&e.field)) {
        const auto& choices = e.limits.choices;
        if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
            refuse(name, fmt::format("one of {}", fmt::join(choices, ", ")), text);
        }
        **word = text;
    } else {
        *std::get<LayerSizes*>(e.field) = parse_layers(name, text);
    }
}

std::string Settings::get(const std::string& name) const {
    const Entry& e = entry(name);
    if (auto* const* number = std::get_if<double*>(&e.field)) return fmt::format("{}", **number);
    if (auto* const* optional = std::get_if<std::optional<double>*>(&e.field)) {
        return (*optional)->has_value() ? fmt::format("{}", ***optional) : "null";
    }
    if (auto* const* integer = std::get_if<std::int64_t*>(&e.field)) {
        return fmt::format("{}", **integer);
    }
    if (auto* const* boolean = std::get_if<bool*>(&e.field)) return **boolean ? "true" : "false";
    if (auto* const* word = std::get_if<std::string*>(&e.field)) return **word;
    return nlohmann::json(*std::get<LayerSizes*>(e.field)).dump();
}

}  // namespace drydock::algorithms
