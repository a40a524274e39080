// A simulator behind one small interface. An object simulates one episode at a time and is used by
// one thread at a time; make one per thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace drydock::envs {

struct EnvironmentInfo {
    std::string name;
    std::int64_t observation_size = 0;
    std::int64_t action_size = 0;
    // 0: actions are real numbers. Otherwise there are as many actions to choose from, action_size
    // is 1 and an action is its number, from 0.
    std::int64_t action_count = 0;
    std::vector<float> action_low, action_high;  // (action_size)
    std::int64_t max_episode_steps = 0;          // after as many steps an episode times out
    double step_seconds = 0;                     // simulated time of one step

    // Returns that score 0 and 100, for the normalised score 100 (r - min) / (max - min).
    std::optional<double> reference_min, reference_max;
    std::string score_note;  // where the references come from, and what speaks against the score

    // What the simulator is, for data files: env_sha256 of a library; mujoco_version and
    // model_sha256 of a MuJoCo task that was made.
    std::map<std::string, std::string> provenance;

    bool operator==(const EnvironmentInfo&) const = default;
};

// The normalised score, or nothing where the environment has no references.
std::optional<double> normalized_score(const EnvironmentInfo& info, double episode_return);

struct StepResult {
    double reward = 0;
    bool terminal = false;  // the task ended: no value after this step
    bool timeout = false;   // the time limit cut the episode; never with terminal
};

class Environment {
  public:
    virtual ~Environment() = default;

    virtual const EnvironmentInfo& info() const = 0;

    // Starts an episode and writes its first observation (observation_size). The initial state is a
    // pure function of (seed, episode): element i of stream "environment_reset" at step `episode`,
    // see base/philox.h.
    virtual void reset(std::uint64_t seed, std::uint64_t episode, std::span<float> observation) = 0;

    // Advances one step with `action` (action_size; clipped to the bounds where the task does so)
    // and writes the observation after it. Throws drydock::Error for wrong sizes, an action that is
    // not finite, and a step before reset or after the episode's end.
    virtual StepResult step(std::span<const float> action, std::span<float> observation) = 0;
};

// A new environment of that name, or of a shared object (envs/plugin.h); throws drydock::Error
// (usage) that lists the known names.
std::unique_ptr<Environment> make_environment(const std::string& name);

// What make_environment(name)->info() says, also where the environment's simulator is not installed
// and making one would throw.
EnvironmentInfo environment_info(const std::string& name);

// Known names, sorted; those of optional parts that are not installed too.
std::vector<std::string> list_environments();

}  // namespace drydock::envs
