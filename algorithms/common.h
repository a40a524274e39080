// Settings that algorithms share, and what is made of them.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "algorithms/settings.h"
#include "core/state.h"
#include "nn/mlp.h"

namespace drydock::algorithms {

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
    double max_action = 1.0;   // bound of the environment's actions, where no environment says it
    // Which trajectories are kept (data/best_trajectories.h); without a fraction, all rows are.
    std::optional<double> best_fraction;
    std::string best_by = "trajectories";
    double best_discount = 1.0;
    std::int64_t trajectory_steps = 0;    // 0: the environment's limit, or else 1000
    std::string normalize_over = "kept";  // or all: whose statistics normalise
    // Bound of Batch::actions; no setting. Training maps the data's actions into [-1, 1]; a trace
    // holds the environment's, up to max_action.
    double batch_action_bound = 1.0;
    // Of the data, as data::Dataset has it; no setting. 0: actions are real numbers.
    std::int64_t action_count = 0;
};
void add_common_settings(Settings& settings, CommonSettings& common);
// The choice of trajectories, for algorithms that imitate.
void add_best_settings(Settings& settings, CommonSettings& common);

// The settings of Adam that all networks of an algorithm share.
struct AdamSettings {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double weight_decay = 0.0;                                       // decoupled
    double gradient_clip = std::numeric_limits<double>::infinity();  // global norm of a group
    std::int64_t warmup_steps = 1;                                   // of the schedule "warmup"
};
void add_adam_settings(Settings& settings, AdamSettings& adam);

// The schedules: "constant", "cosine" (to 0 at max_steps) and "warmup".
const std::vector<std::string>& schedules();
// One group's optimizer.
OptimizerSettings make_optimizer(const AdamSettings& adam, double learning_rate,
                                 const std::string& schedule, std::int64_t max_steps);

// The actor's schedule where it has one of its own, "null" being none, else the general one.
const std::string& actor_schedule(const std::string& actor, const std::string& general);

// Actions in [-1, 1] in the units of a batch whose actions are within +-bound.
Tensor in_bound(Tensor unit_actions, double bound);

// What fine-tuning with online collection adds to an algorithm (docs/finetune.md).
struct OnlineSettings {
    std::optional<double> mixing_ratio;  // share of a batch from the offline data; none: uniform
    std::int64_t updates_per_step = 1;
};
void add_online_settings(Settings& settings, OnlineSettings& online);

// First values and sizes of an algorithm's multi-layer perceptrons.
struct NetworkSettings {
    std::string initializer = "pytorch_default";  // of all networks
    LayerSizes layer_sizes;                       // by network
};
// `names` lists the networks for the help text: "q1, q2, v, actor".
void add_network_settings(Settings& settings, NetworkSettings& networks, const std::string& names);
// layer_sizes alone, for an algorithm whose networks do not share an initializer.
void add_layer_sizes(Settings& settings, NetworkSettings& networks, const std::string& names);

// A network's first and last layer.
struct NetworkEnds {
    std::string name;
    std::int64_t in, out;
    std::vector<std::int64_t> hidden = {256, 256};  // where layer_sizes does not say
};
// Gives each network that has no layer_sizes its hidden layers. Throws Error (usage) for a
// network that is not listed and for sizes that do not fit; `data` says what they should fit.
void fit_layer_sizes(NetworkSettings& networks, const std::vector<NetworkEnds>& ends,
                     const std::string& data);
// What to build the network `name` from; layer_sizes must have it.
nn::MlpSpec network_spec(const NetworkSettings& networks, const std::string& name,
                         Activation output = Activation::none);

}  // namespace drydock::algorithms
