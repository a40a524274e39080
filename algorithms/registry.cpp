#include <fmt/format.h>

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
                 {0, 0, false, {"none", "return_range", "minus_one"}});
}

kernels::Schedule parse_schedule(const std::string& name) {
    if (name == "constant") return kernels::Schedule::constant;
    if (name == "cosine") return kernels::Schedule::cosine;
    return kernels::Schedule::warmup;
}

}  // namespace drydock::algorithms
