// Presets as tables: settings by name, and rows for data sets.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace drydock::algorithms {

// Settings and their values, as Settings::set takes them.
using Assignments = std::vector<std::pair<std::string, std::string>>;

// What a preset changes for some data sets.
struct PresetRow {
    // Names without -vN ("hopper-medium-expert"); a * at the end stands for any ending.
    std::vector<std::string> datasets;
    Assignments settings;
};

// What a preset changes of the algorithm's defaults. Of its rows the first that matches is taken.
struct Preset {
    std::string name;
    Assignments settings;
    std::vector<PresetRow> rows;
};

// True when the name is one of the row's, or begins as one that ends in *.
bool matches(const PresetRow& row, const std::string& dataset);

}  // namespace drydock::algorithms
