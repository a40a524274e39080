// What the trainer needs of an algorithm, and the registry by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "algorithms/common.h"
#include "algorithms/presets.h"
#include "algorithms/settings.h"
#include "core/graph.h"

namespace drydock::algorithms {

// One batch of transitions, gathered from the data's columns. The last three are empty for a recipe
// that does not read outcomes.
struct Batch {
    Tensor observations;       // (B, S), normalised
    Tensor actions;            // (B, A), in [-1, 1]; in a trace as recorded; choices: (B, 1)
    Tensor rewards;            // (B)
    Tensor next_observations;  // (B, S), normalised
    Tensor terminals;          // (B), 1 where no value follows
};

// The network that a policy file holds: layers "NAME.layers.K" of the state's groups.
struct PolicyNetwork {
    std::string name;                       // "actor"
    std::vector<std::int64_t> layer_sizes;  // input, hidden..., output
    std::string hidden_activation;          // "relu"
    std::string head;                       // of the file: "tanh_mean", "deterministic_tanh", ...
};

// An algorithm with its networks, in the groups of one State.
class Algorithm {
  public:
    virtual ~Algorithm() = default;

    // Appends one update. Where updates differ (a target that is not averaged every time, a delayed
    // actor), each kind is a variant with a program of its own, and variant_at says which runs at
    // update k, counted from 0.
    virtual void record(Graph& graph, const Batch& batch, std::size_t variant) = 0;
    virtual std::size_t variants() const { return 1; }
    virtual std::size_t variant_at(std::int64_t) const { return 0; }
    // Appends the actions that evaluation takes: (N, S) normalised -> (N, A) in [-1, 1], or the
    // number of a choice (N, 1).
    virtual Tensor act(Graph& graph, Tensor observations) = 0;
    // First values of all parameters.
    virtual void initialize(std::uint64_t seed) = 0;
    virtual PolicyNetwork policy() const = 0;
};

// The settings of one algorithm and how to make it.
class Recipe {
  public:
    virtual ~Recipe() = default;

    virtual const char* name() const = 0;
    virtual CommonSettings& common() = 0;
    Settings& settings() { return settings_; }
    // Whether the data's actions may be real numbers, and choices among action_count.
    virtual bool takes_real_actions() const { return true; }
    virtual bool takes_choices() const { return false; }
    // False: rewards, next observations and terminals play no part in the update.
    virtual bool reads_outcomes() const { return true; }
    // Names of the presets, the default first.
    std::vector<std::string> presets() const;
    // Takes a preset's settings; layer_sizes stay. `dataset` ("hopper-medium-expert") selects its
    // row where the preset has rows. Returns a sentence that says which row was taken, or that none
    // matched. Throws Error (usage) for an unknown preset.
    std::string apply_preset(const std::string& preset, const std::string& dataset);
    // Fills sizes that depend on the data: layer_sizes that were not set. Where actions are
    // choices, common().action_count says among how many.
    virtual void fit(std::int64_t observation_size, std::int64_t action_size) = 0;
    // Adds groups and networks to `state`. The recipe must be fitted. The settings are copied.
    virtual std::unique_ptr<Algorithm> make(State& state) const = 0;

  protected:
    // The default first.
    virtual const std::vector<Preset>& preset_table() const = 0;

    Settings settings_;
};

// A recipe by the algorithm's name, with the settings of its first preset. Throws Error (usage)
// that lists the known names.
std::unique_ptr<Recipe> make_recipe(const std::string& algorithm);
std::vector<std::string> list_algorithms();

}  // namespace drydock::algorithms
