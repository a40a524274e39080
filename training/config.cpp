#include "training/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/error.h"
#include "core/safetensors.h"
#include "training/data_set.h"

namespace drydock::training {
namespace {

using Field = std::variant<std::string*, std::int64_t*, std::uint64_t*, int*, bool*>;

struct Key {
    const char* name;
    Field field;
};

// The keys of config.toml, in the order in which they are written. Where the run folder is, and
// whether it may be overwritten, is no property of the run.
std::vector<Key> keys_of(TrainOptions& o) {
    return {{"algorithm", &o.algorithm},
            {"dataset", &o.dataset},
            {"environment", &o.environment},
            {"preset", &o.preset},
            {"preset_for", &o.preset_for},
            {"finetune", &o.finetune},
            {"online_steps", &o.online_steps},
            {"steps", &o.steps},
            {"seed", &o.seed},
            {"device", &o.device},
            {"precision", &o.precision},
            {"threads", &o.threads},
            {"evaluate_every", &o.evaluate_every},
            {"episodes", &o.episodes},
            {"log_every", &o.log_every},
            {"checkpoint_every", &o.checkpoint_every},
            {"check_numerics", &o.check_numerics}};
}

[[noreturn]] void refuse(const std::string& path, const std::string& text) {
    throw Error(fmt::format("[config] '{}': {}", path, text), ErrorKind::usage);
}

// Takes the node's value when it has the field's type.
bool take(const toml::node& node, const Field& field) {
    if (auto* const* text = std::get_if<std::string*>(&field)) {
        if (!node.is_string()) return false;
        **text = node.value_or(std::string());
        return true;
    }
    if (auto* const* flag = std::get_if<bool*>(&field)) {
        if (!node.is_boolean()) return false;
        **flag = node.value_or(false);
        return true;
    }
    if (!node.is_integer()) return false;
    const std::int64_t value = node.value_or(std::int64_t{0});
    if (auto* const* number = std::get_if<std::int64_t*>(&field)) {
        **number = value;
    } else if (auto* const* seed = std::get_if<std::uint64_t*>(&field)) {
        if (value < 0) return false;
        **seed = static_cast<std::uint64_t>(value);
    } else {
        if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
            return false;
        }
        *std::get<int*>(field) = static_cast<int>(value);
    }
    return true;
}

const char* type_of(const Field& field) {
    if (std::holds_alternative<std::string*>(field)) return "a text in quotes";
    if (std::holds_alternative<bool*>(field)) return "true or false";
    return "a whole number";
}

nlohmann::json to_json(const toml::node& node) {
    nlohmann::json json;
    if (const toml::table* table = node.as_table()) {
        json = nlohmann::json::object();
        for (const auto& [key, value] : *table) json[std::string(key.str())] = to_json(value);
    } else if (const toml::array* array = node.as_array()) {
        json = nlohmann::json::array();
        for (const auto& value : *array) json.push_back(to_json(value));
    } else if (const auto* integer = node.as_integer()) {
        json = integer->get();
    }
    return json;
}

// The text of a value that Settings::set takes.
std::string setting_text(const std::string& path, std::string_view name, const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    if (node.is_table()) return to_json(node).dump();
    refuse(path, fmt::format("expected a number, text, true or false for '{}'", name));
}

void read_settings(const std::string& path, const toml::node& node, TrainOptions& options) {
    const toml::table* table = node.as_table();
    if (!table) refuse(path, "expected [settings] to be a table");
    for (const auto& [key, value] : *table) {
        options.settings.emplace_back(std::string(key.str()), setting_text(path, key.str(), value));
    }
}

void read_key(const std::string& path, std::string_view name, const toml::node& node,
              TrainOptions& options) {
    std::string known;
    for (const Key& key : keys_of(options)) {
        known += fmt::format("{}, ", key.name);
        if (name != key.name) continue;
        if (!take(node, key.field)) {
            refuse(path, fmt::format("expected '{}' to be {}", name, type_of(key.field)));
        }
        return;
    }
    refuse(path, fmt::format("unknown key '{}'; expected {}or the table [settings]", name, known));
}

// A TOML basic string; JSON's escapes are a part of TOML's.
std::string toml_text(const std::string& text) {
    try {
        return nlohmann::json(text).dump();
    } catch (const nlohmann::json::exception&) {
        throw Error(fmt::format("[config] expected names in UTF-8, got other bytes in '{}'; rename "
                                "the file or the folder",
                                nlohmann::json(text).dump(
                                    -1, ' ', false, nlohmann::json::error_handler_t::replace)),
                    ErrorKind::usage);
    }
}

std::string inline_table(const std::string& json_text) {
    std::string text;
    const auto json = nlohmann::json::parse(json_text);
    for (const auto& [key, value] : json.items()) {
        text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", toml_text(key), value.dump());
    }
    return "{ " + text + " }";
}

std::string value_text(const Field& field) {
    if (auto* const* text = std::get_if<std::string*>(&field)) return toml_text(**text);
    if (auto* const* number = std::get_if<std::int64_t*>(&field))
        return fmt::format("{}", **number);
    if (auto* const* seed = std::get_if<std::uint64_t*>(&field)) return fmt::format("{}", **seed);
    if (auto* const* count = std::get_if<int*>(&field)) return fmt::format("{}", **count);
    return *std::get<bool*>(field) ? "true" : "false";
}

}  // namespace

TrainOptions read_config(const std::string& path, const TrainOptions& base) {
    std::vector<std::byte> bytes;
    try {
        bytes = read_bytes(path);
    } catch (const Error& error) {  // a wrong name, most likely
        throw Error(error.what(), ErrorKind::usage);
    }
    return parse_config({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, base);
}

TrainOptions parse_config(const std::string& text, const std::string& path,
                          const TrainOptions& base) {
    TrainOptions options = base;
    try {
        for (const auto& [key, value] : toml::parse(text, path)) {
            if (key.str() == "settings") {
                read_settings(path, value, options);
            } else {
                read_key(path, key.str(), value, options);
            }
        }
    } catch (const toml::parse_error& error) {
        refuse(path, fmt::format("expected TOML, got an error in line {}: {}",
                                 error.source().begin.line, error.description()));
    }
    return options;
}

std::string config_text(const TrainOptions& options, algorithms::Recipe& recipe) {
    TrainOptions copy = options;
    std::string text = "# Everything that this run was started with: drydock train --config FILE\n";
    for (const Key& key : keys_of(copy)) {
        text += fmt::format("{} = {}\n", key.name, value_text(key.field));
    }
    text += "\n[settings]\n";
    const algorithms::Settings& settings = recipe.settings();
    for (const std::string& name : settings.names()) {
        const std::string type = settings.type(name);
        std::string value = settings.get(name);
        if (type == "text" || value == "null") value = toml_text(value);
        if (type == "layers") value = inline_table(value);
        text += fmt::format("{} = {}\n", name, value);
    }
    return text;
}

kernels::Precision precision_of(const std::string& name) {
    if (name == "fp32") return kernels::Precision::full;
    if (name == "bf16") return kernels::Precision::bf16;
    throw Error(fmt::format("expected precision fp32 or bf16, got '{}'", name), ErrorKind::usage);
}

std::unique_ptr<algorithms::Recipe> resolve_recipe(
    TrainOptions& options, const std::function<void(const std::string&)>& notice) {
    auto recipe = algorithms::make_recipe(options.algorithm);
    if (options.preset.empty()) options.preset = recipe->presets().front();
    if (options.preset_for.empty()) options.preset_for = preset_key(options.dataset);
    const std::string sentence = recipe->apply_preset(options.preset, options.preset_for);
    if (notice) notice(sentence);
    algorithms::Settings& settings = recipe->settings();
    if (settings.contains("max_steps")) settings.set("max_steps", std::to_string(options.steps));
    for (const auto& [name, value] : options.settings) settings.set(name, value);
    return recipe;
}

}  // namespace drydock::training
