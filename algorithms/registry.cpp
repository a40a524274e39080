#include <fmt/format.h>

#include <cmath>

#include "algorithms/algorithm.h"
#include "algorithms/iql.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

struct Registered {
    const char* name;
    std::unique_ptr<Recipe> (*make)();
};

// One line per algorithm.
constexpr Registered kAlgorithms[] = {
    {"iql", make_iql_recipe},
};

}  // namespace

std::vector<std::string> list_algorithms() {
    std::vector<std::string> names;
    for (const Registered& r : kAlgorithms) names.emplace_back(r.name);
    return names;
}

std::unique_ptr<Recipe> make_recipe(const std::string& algorithm) {
    for (const Registered& r : kAlgorithms) {
        if (algorithm == r.name) return r.make();
    }
    throw Error(fmt::format("[algorithm] expected one of {}, got '{}'",
                            fmt::join(list_algorithms(), ", "), algorithm),
                ErrorKind::usage);
}

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
                 {0, 0, false, {"none", "return_range", "trajectory_range", "minus_one"}});
    settings.add("action_clip", &common.action_clip,
                 "largest size of the data's actions, once mapped into [-1, 1]",
                 {0, 1, false, {}, 1.0});
}

void add_adam_settings(Settings& settings, AdamSettings& adam) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
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

}  // namespace drydock::algorithms
