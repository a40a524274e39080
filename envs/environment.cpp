#include "envs/environment.h"

#include <fmt/format.h>

#include "base/error.h"
#include "envs/cartpole.h"
#include "envs/mujoco.h"
#include "envs/mujoco_rules.h"
#include "envs/pendulum.h"
#include "envs/plugin.h"

namespace drydock::envs {
namespace {

std::unique_ptr<Environment> make_locomotion(const char* name) {
    return make_mujoco(*find_mujoco_task(name));
}

struct Entry {
    const char* name;
    std::unique_ptr<Environment> (*make)();
};

// A new environment gets a line here, in alphabetical order.
constexpr Entry kEnvironments[] = {
    {"cartpole", make_cartpole},
    {"halfcheetah", [] { return make_locomotion("halfcheetah"); }},
    {"hopper", [] { return make_locomotion("hopper"); }},
    {"pendulum", make_pendulum},
    {"walker2d", [] { return make_locomotion("walker2d"); }},
};

}  // namespace

std::optional<double> normalized_score(const EnvironmentInfo& info, double episode_return) {
    if (!info.reference_min || !info.reference_max) return std::nullopt;
    return 100.0 * (episode_return - *info.reference_min) /
           (*info.reference_max - *info.reference_min);
}

std::unique_ptr<Environment> make_environment(const std::string& name) {
    if (is_plugin(name)) return make_plugin(name);
    std::string known;
    for (const Entry& entry : kEnvironments) {
        if (name == entry.name) return entry.make();
        known += (known.empty() ? "" : ", ") + std::string(entry.name);
    }
    throw Error(fmt::format("[environment] expected one of {}, or your own as ./FILE.so, got "
                            "\"{}\"",
                            known, name),
                ErrorKind::usage);
}

EnvironmentInfo environment_info(const std::string& name) {
    if (const MujocoTask* task = find_mujoco_task(name)) return mujoco_info(*task);
    return make_environment(name)->info();
}

std::vector<std::string> list_environments() {
    std::vector<std::string> names;
    for (const Entry& entry : kEnvironments) names.emplace_back(entry.name);
    return names;
}

}  // namespace drydock::envs
