// Scores a policy file: the runtime acts in the environment, as it would where it is embedded.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "envs/environment.h"

namespace drydock::training {

struct EvaluationOptions {
    std::string environment;
    std::int64_t episodes = 10;
    std::uint64_t seed = 0;
    // What to ask a policy for that looks at returns, in the environment's units; none: what its
    // file says.
    std::optional<double> target_return = {};
    double discount = 0.99;                   // of discounted_return
    int threads = 0;                          // 0: all cores; the results do not depend on it
    const std::atomic<bool>* stop = nullptr;  // set to true from any thread: ends it with Stopped
};

// An evaluation was stopped by its flag.
class Stopped : public Error {
  public:
    using Error::Error;
};

// Episode i of seed s starts from the stream (s, i).
struct EpisodeResult {
    std::int64_t episode = 0;
    double episode_return = 0;     // undiscounted
    double discounted_return = 0;  // from the first step on
    std::int64_t length = 0;       // steps
    std::optional<double> score;   // normalised, where the environment has references
    std::int64_t fallbacks = 0;    // steps at which a non-finite value made the policy fall back
};

struct Evaluation {
    std::string environment;
    std::string score_note;  // of the environment that was played in
    std::uint64_t seed = 0;
    std::optional<double> target_return;  // that was asked for, of policies that look at returns
    std::vector<EpisodeResult> episodes;
    double return_mean = 0, return_std = 0;  // of the population, divisor n
    double length_mean = 0;
    std::optional<double> score_mean, score_std;
};

// Fills in the means and deviations of the episodes.
void summarize(Evaluation& evaluation, const envs::EnvironmentInfo& environment);

// Evaluates the policy in a file's bytes; `name` is for error texts. Throws Error for a policy that
// does not load, an unknown environment (usage), sizes that differ, episodes < 1 (usage), and a
// target return for a policy that does not look at returns (usage).
Evaluation evaluate_policy(std::span<const std::byte> file, const std::string& name,
                           const EvaluationOptions& options);
// The same for a file, or for a run folder's policy.safetensors.
Evaluation evaluate_policy(const std::string& path, const EvaluationOptions& options);

}  // namespace drydock::training
