// config.toml: a run's options and settings, enough to run it again.
#pragma once

#include <string>

#include "algorithms/algorithm.h"
#include "training/trainer.h"

namespace drydock::training {

// Options from a config file: the keys are the names of TrainOptions, settings are in the table
// [settings]. Keys that are not there keep the values of `base`; the file's settings go before
// those of `base`, so that those win. Throws Error (usage) for text that is not TOML, unknown keys
// and wrong types.
TrainOptions read_config(const std::string& path, const TrainOptions& base = {});

// The text of a config file with every setting of the recipe.
std::string config_text(const TrainOptions& options, const algorithms::Recipe& recipe);

// The recipe that `options` name: preset, max_steps and settings applied, not yet fitted. `notice`
// gets the sentence about the preset's row; it may be empty.
std::unique_ptr<algorithms::Recipe> resolve_recipe(
    const TrainOptions& options, const std::function<void(const std::string&)>& notice = {});

}  // namespace drydock::training
