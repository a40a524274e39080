// What the trainer needs of an algorithm, and the registry by name.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "algorithms/settings.h"
#include "core/graph.h"

namespace drydock::algorithms {

// One batch of transitions, gathered from the data's columns.
struct Batch {
    Tensor observations;       // (B, S), normalised
    Tensor actions;            // (B, A)
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

// Settings that every algorithm has and the trainer reads.
struct CommonSettings {
    std::int64_t batch_size = 256;
    std::int64_t max_steps = 1000000;  // horizon of the schedules
    // The data: which transitions, and what is done to them before training.
    std::string transitions = "qlearning_dataset";
    bool normalize_observations = true;
    double observation_epsilon = 1e-3;
    std::string reward_transform = "none";
    double action_clip = 1.0;  // of the data's actions, after they were mapped into [-1, 1]
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
    // Appends the actions that evaluation takes: (N, S) normalised -> (N, A) in [-1, 1].
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
    // Names of the presets, the default first.
    virtual std::vector<std::string> presets() const = 0;
    // Takes a preset's settings. `dataset` ("hopper-medium-expert") selects its row where the
    // preset has one per data set. Returns a sentence that says which row was taken. Throws Error
    // (usage) for an unknown preset.
    virtual std::string apply_preset(const std::string& preset, const std::string& dataset) = 0;
    // Fills sizes that depend on the data: layer_sizes that were not set.
    virtual void fit(std::int64_t observation_size, std::int64_t action_size) = 0;
    // Adds groups and networks to `state`. The recipe must be fitted. The settings are copied.
    virtual std::unique_ptr<Algorithm> make(State& state) const = 0;

  protected:
    Settings settings_;
};

// A recipe by the algorithm's name, with the settings of its first preset. Throws Error (usage)
// that lists the known names.
std::unique_ptr<Recipe> make_recipe(const std::string& algorithm);
std::vector<std::string> list_algorithms();

// Adds the common settings to a table.
void add_common_settings(Settings& settings, CommonSettings& common);

// The settings of Adam that all networks of an algorithm share.
struct AdamSettings {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double weight_decay = 0.0;                                       // decoupled
    double gradient_clip = std::numeric_limits<double>::infinity();  // global norm of a group
    std::int64_t warmup_steps = 1;                                   // of the schedule "warmup"
};
void add_adam_settings(Settings& settings, AdamSettings& adam);

// One group's optimizer; `schedule` is "constant", "cosine" (to 0 at max_steps) or "warmup".
OptimizerSettings make_optimizer(const AdamSettings& adam, double learning_rate,
                                 const std::string& schedule, std::int64_t max_steps);

}  // namespace drydock::algorithms
