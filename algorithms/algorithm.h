// What the trainer needs of an algorithm, and the registry by name.
#pragma once

#include <memory>
#include <optional>
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
    // Where the recipe reads windows, observations are (B, K, S) and actions (B, K, A), those of
    // padding as the data say, the three outcomes are empty, and these are there:
    Tensor returns_to_go = {};  // (B, K), scaled
    Tensor timesteps = {};      // i64 (B, K), steps since the episode began
    Tensor mask = {};           // (B, K), 1 at a step and 0 at padding
};

// Which windows of episodes a batch is made of. The first step is any step of the data with the
// same probability: an episode is chosen in proportion to its length, and a step in it evenly.
struct WindowSpec {
    std::int64_t context_length = 20;  // K
    bool left = false;                 // padding stands before the steps, not behind them
    std::int64_t last_timestep = 0;    // larger ones become this
    double reward_scale = 1;           // of returns-to-go
    double discount = 1;               // of the rewards in a return-to-go
    bool pad_observation_raw = false;  // padding is 0 before normalisation, not after it
    double pad_action = 0;
    bool normalize_over_all = true;  // statistics of all rows, not of complete episodes alone
};

// What a policy of kind "decision_transformer" is besides its parameters, which have the names of a
// trace: embed_return, embed_observation, embed_action, embed_timestep, embed_norm, blocks.K.*,
// final_norm, predict_action.
struct TransformerSpec {
    std::int64_t layers = 0, heads = 0, embedding_dim = 0, mlp_dim = 0;
    std::int64_t context_length = 0;  // steps, of three tokens each
    std::int64_t episode_len = 0;     // steps that the file tells apart, or more
    std::int64_t timestep_rows = 0;   // of embed_timestep.weight, whose last is also later steps'
    std::string activation;           // of the blocks' hidden layers: "relu", or "gelu" (erf form)
    double layer_norm_epsilon = 1e-5;
    double reward_scale = 1;  // a return-to-go is the sum of the rewards to come times this
    std::int64_t observation_size = 0, action_size = 0;
};

// The network that a policy file holds: layers "NAME.layers.K" of the state's groups, or those of
// `transformer`.
struct PolicyNetwork {
    std::string name;                       // "actor"
    std::vector<std::int64_t> layer_sizes;  // input, hidden..., output; none for a transformer
    std::string hidden_activation;          // "relu"
    // Of the file: "tanh_mean", "deterministic_tanh", "identity"; "argmax" acts by the number of
    // the largest output (action_size 1). best_of_n has none.
    std::string head;
    // "mlp", "best_of_n" or "decision_transformer".
    std::string kind = "mlp";
    // The policy is the last layer's first rows, as many as this; 0: all of them. For a network
    // that also puts out log-deviations.
    std::int64_t outputs = 0;
    // Above 0 an output is the mean of as many consecutive rows of the last layer; the file holds
    // the means of their weights.
    std::int64_t quantiles = 0;
    // best_of_n: the network values concat(observation, action), and acts by the best of as many
    // uniform actions. They are elements (row, sample, action) of the stream "policy_samples".
    std::int64_t samples = 0;
    std::optional<TransformerSpec> transformer = {};
    // decision_transformer: the returns to ask for, in the environment's units; the first is the
    // file's default.
    std::vector<double> target_returns = {};
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
    // Appends the discounted return, in training's units of reward, that the critics expect of the
    // policy from each observation: (N, S) normalised -> (N). Only where predicts_value().
    virtual Tensor value(Graph&, Tensor /*observations*/) { return {}; }
    virtual bool predicts_value() const { return false; }
    // Appends the actions that online collection takes: (N, S) normalised and standard normal noise
    // (N, A) -> (N, A), which the caller clips to [-1, 1]. Only where the recipe has online().
    virtual Tensor explore(Graph&, Tensor /*observations*/, Tensor /*noise*/) { return {}; }
    // The same of an algorithm that reads windows, for every step of windows: (B, K, A). The action
    // of a step depends on nothing behind its observation. Throws Error where act() is the one.
    virtual Tensor act_windows(Graph& graph, const Batch& windows);
    // What to try when the metric of that name is not finite, a sentence; "": nothing of its own.
    virtual std::string advice(const std::string& /*metric*/) const { return ""; }
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
    // Windows of episodes instead of transitions, and which.
    virtual std::optional<WindowSpec> windows() const { return std::nullopt; }
    // How a run of these settings is fine-tuned; null where it cannot be.
    virtual const OnlineSettings* online() const { return nullptr; }
    // Updates of a run that says nothing else.
    virtual std::int64_t default_steps() const { return 1000000; }
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
