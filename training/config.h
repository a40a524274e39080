// config.toml: a run's options and settings, enough to run it again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "algorithms/algorithm.h"
#include "core/program.h"
#include "training/trainer.h"

namespace drydock::training {

// Options from a config file: the keys are the names of TrainOptions, settings are in the table
// [settings]. Keys that are not there keep the values of `base`; settings are added after those of
// `base`, so that the file wins over it in everything. Throws Error (usage) for text that is not
// TOML, unknown keys and wrong types.
TrainOptions read_config(const std::string& path, const TrainOptions& base = {});
// The same from a file's text; `path` is for error texts.
TrainOptions parse_config(const std::string& text, const std::string& path,
                          const TrainOptions& base = {});

// The text of a config file with every setting of the recipe.
std::string config_text(const TrainOptions& options, algorithms::Recipe& recipe);

// What TrainOptions::precision names. Throws Error (usage) for other names.
kernels::Precision precision_of(const std::string& name);

// The recipe that `options` name: preset, max_steps and settings applied, not yet fitted. Fills in
// the preset and preset_for where they are empty. `notice` gets the sentence about the preset's
// row; it may be empty. Throws Error (usage) for unknown names and bad values.
std::unique_ptr<algorithms::Recipe> resolve_recipe(
    TrainOptions& options, const std::function<void(const std::string&)>& notice = {});

}  // namespace drydock::training
