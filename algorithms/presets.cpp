#include "algorithms/presets.h"

#include <fmt/format.h>

#include <algorithm>

#include "algorithms/algorithm.h"
#include "base/error.h"

namespace drydock::algorithms {

bool matches(const PresetRow& row, const std::string& dataset) {
    return std::any_of(row.datasets.begin(), row.datasets.end(), [&](const std::string& name) {
        if (name.back() != '*') return dataset == name;
        return dataset.starts_with(name.substr(0, name.size() - 1));
    });
}

std::vector<std::string> Recipe::presets() const {
    std::vector<std::string> names;
    for (const Preset& preset : preset_table()) names.push_back(preset.name);
    return names;
}

std::string Recipe::apply_preset(const std::string& preset, const std::string& dataset) {
    const std::vector<Preset>& table = preset_table();
    const auto found =
        std::find_if(table.begin(), table.end(), [&](const Preset& p) { return p.name == preset; });
    if (found == table.end()) {
        throw Error(fmt::format("[preset] expected one of {} for {}, got '{}'",
                                fmt::join(presets(), ", "), name(), preset),
                    ErrorKind::usage);
    }
    for (const std::string& setting : settings_.names()) {
        if (setting != "layer_sizes") settings_.reset(setting);
    }
    const auto take = [&](const Assignments& assignments) {
        for (const auto& [setting, value] : assignments) settings_.set(setting, value);
    };
    take(found->settings);
    if (found->rows.empty()) {
        return fmt::format("preset {}: the same settings for every data set", preset);
    }
    for (const PresetRow& row : found->rows) {
        if (!matches(row, dataset)) continue;
        take(row.settings);
        return fmt::format("preset {}: settings of data set '{}' (row {})", preset, dataset,
                           fmt::join(row.datasets, ", "));
    }
    return fmt::format(
        "preset {}: no row for data set '{}', general settings taken "
        "(name one with --preset-for)",
        preset, dataset);
}

}  // namespace drydock::algorithms
