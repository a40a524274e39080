#include "algorithms/common.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

void add_common_settings(Settings& settings, CommonSettings& common) {
    settings.add("batch_size", &common.batch_size, "transitions per update", {1, 1e6});
    settings.add("max_steps", &common.max_steps, "horizon of the learning-rate schedules",
                 {1, 1e12});
    settings.add("transitions", &common.transitions, "which rows become transitions, and their s'",
                 {0, 0, false, {"qlearning_dataset", "corrected"}});
    settings.add("normalize_observations", &common.normalize_observations,
                 "subtract the data's mean, divide by its deviation", {0, 0});
    settings.add("observation_epsilon", &common.observation_epsilon,
                 "added to the deviation of every dimension", {0, 1e6});
    settings.add("reward_transform", &common.reward_transform, "what is done to the rewards",
                 {0,
                  0,
                  false,
                  {"none", "return_range", "trajectory_range", "minus_one", "times_10_minus_5",
                   "minus_half_times_4"}});
    settings.add("action_clip", &common.action_clip,
                 "largest size of the data's actions, once mapped into [-1, 1]",
                 {0, 1, false, {}, 1.0});
    settings.add("max_action", &common.max_action, "bound of the environment's actions",
                 {0, kInfinity, true});
}

void add_best_settings(Settings& settings, CommonSettings& common) {
    settings.add("best_fraction", &common.best_fraction,
                 "share of the data that is imitated, best first; null: all rows", {0, 1});
    settings.add("best_by", &common.best_by,
                 "the share is of the trajectories, or of their transitions",
                 {0, 0, false, {"trajectories", "transitions"}});
    settings.add("best_discount", &common.best_discount, "of the returns that rank trajectories",
                 {0, 1});
    settings.add("trajectory_steps", &common.trajectory_steps,
                 "rows after which a trajectory is cut where nothing else ends it; 0: the "
                 "environment's limit, or else 1000",
                 {0, 1e9});
    settings.add("normalize_over", &common.normalize_over,
                 "rows whose mean and deviation normalise: those kept, or all",
                 {0, 0, false, {"kept", "all"}});
}

void add_adam_settings(Settings& settings, AdamSettings& adam) {
    constexpr double kBelowOne = 1.0 - 1e-15;
    settings.add("adam_beta1", &adam.beta1, "decay of the first moment", {0, kBelowOne});
    settings.add("adam_beta2", &adam.beta2, "decay of the second moment", {0, kBelowOne});
    settings.add("adam_epsilon", &adam.epsilon, "added to the root of the second moment",
                 {0, kInfinity});
    settings.add("weight_decay", &adam.weight_decay, "decoupled, as in AdamW",
                 {0, 1e6, false, {}, 0});
    settings.add("gradient_clip", &adam.gradient_clip,
                 "largest global norm of a group's gradient; inf does not clip",
                 {0, kInfinity, true, {}, kInfinity});
    settings.add("warmup_steps", &adam.warmup_steps, "of the schedule warmup",
                 {0, 1e12, false, {}, 0});
}

void add_online_settings(Settings& settings, OnlineSettings& online) {
    settings.add("mixing_ratio", &online.mixing_ratio,
                 "share of a batch from the offline data when fine-tuning; null: all rows alike",
                 {0, 1});
    settings.add("updates_per_online_step", &online.updates_per_step,
                 "updates after each step in the environment when fine-tuning", {1, 1e6});
}

const std::vector<std::string>& schedules() {
    static const std::vector<std::string> kNames{"constant", "cosine", "warmup"};
    return kNames;
}

OptimizerSettings make_optimizer(const AdamSettings& adam, double learning_rate,
                                 const std::string& schedule, std::int64_t max_steps) {
    OptimizerSettings o;
    o.learning_rate = learning_rate;
    o.beta1 = adam.beta1;
    o.beta2 = adam.beta2;
    o.epsilon = adam.epsilon;
    o.weight_decay = adam.weight_decay;
    o.gradient_clip = std::isinf(adam.gradient_clip) ? 0.0 : adam.gradient_clip;
    if (schedule == "cosine") {
        o.schedule = kernels::Schedule::cosine;
        o.horizon = static_cast<double>(max_steps);
    } else if (schedule == "warmup" && adam.warmup_steps > 0) {
        o.schedule = kernels::Schedule::warmup;
        o.horizon = static_cast<double>(adam.warmup_steps);
    }
    return o;
}

const std::string& actor_schedule(const std::string& actor, const std::string& general) {
    return actor == "null" ? general : actor;
}

Tensor in_bound(Tensor unit_actions, double bound) {
    return bound == 1.0 ? unit_actions : bound * unit_actions;
}

void add_network_settings(Settings& settings, NetworkSettings& networks, const std::string& names) {
    settings.add("initializer", &networks.initializer, "first values of all networks",
                 {0, 0, false, {"pytorch_default", "orthogonal", "xavier"}});
    add_layer_sizes(settings, networks, names);
}

void add_layer_sizes(Settings& settings, NetworkSettings& networks, const std::string& names) {
    settings.add("layer_sizes", &networks.layer_sizes, "sizes by network: " + names, {0, 0});
}

void fit_layer_sizes(NetworkSettings& networks, const std::vector<NetworkEnds>& ends,
                     const std::string& data) {
    std::vector<std::string> names;
    for (const NetworkEnds& e : ends) names.push_back(e.name);
    for (const auto& [network, sizes] : networks.layer_sizes) {
        if (std::find(names.begin(), names.end(), network) != names.end()) continue;
        throw Error(fmt::format("[settings] expected layer_sizes of {}, got '{}'",
                                fmt::join(names, ", "), network),
                    ErrorKind::usage);
    }
    for (const NetworkEnds& e : ends) {
        std::vector<std::int64_t> sizes_by_default = e.hidden;
        sizes_by_default.insert(sizes_by_default.begin(), e.in);
        sizes_by_default.push_back(e.out);
        const auto& sizes =
            networks.layer_sizes.try_emplace(e.name, sizes_by_default).first->second;
        if (sizes.front() == e.in && sizes.back() == e.out) continue;
        throw Error(fmt::format("[settings] expected layer_sizes of {} to run from {} to {}, got "
                                "[{}]; {}",
                                e.name, e.in, e.out, fmt::join(sizes, ", "), data),
                    ErrorKind::usage);
    }
}

nn::MlpSpec network_spec(const NetworkSettings& networks, const std::string& name,
                         Activation output) {
    nn::MlpSpec spec;
    spec.layer_sizes = networks.layer_sizes.at(name);
    spec.output = output;
    nn::set_initializer(spec, networks.initializer);
    return spec;
}

}  // namespace drydock::algorithms
