// Makes data sets: a policy or a built-in behaviour acts in an environment, its steps are recorded.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace drydock::training {

struct CollectOptions {
    std::string environment;
    // Who acts: a policy file (or the run folder that has one), or a behaviour. With neither it is
    // the last of envs::list_behaviours: `mixed` where there is one, else `random`.
    std::string policy;
    std::string behaviour;
    // Gaussian noise on the actions, then clipped to the bounds: standard deviations in units of
    // the action's half range. Episode i takes level i modulo their number; none is no noise.
    std::vector<double> noise;
    double random_steps = 0;  // share of the steps whose action is uniform in the bounds instead
    // One of the two is above 0. `steps` ends the file after that many rows, in the middle of an
    // episode if need be: no episode is played further than that.
    std::int64_t episodes = 0;
    std::int64_t steps = 0;
    std::uint64_t seed = 0;
    int threads = 0;  // 0: all cores; the data do not depend on it
};

struct CollectProgress {
    std::int64_t episodes = 0;  // played to their end
    std::int64_t rows = 0;      // of these, and of those being played
    double seconds = 0;
};

struct CollectCallbacks {
    // Called by one thread at a time, though not always by the same.
    std::function<void(const CollectProgress&)> progress;
    // Once it is true, no episode begins, and those being played end where they are, but for one
    // that a later one has overtaken. The result are the whole episodes before the first that was
    // cut, and, where steps were asked for, that one's rows.
    const std::atomic<bool>* stop = nullptr;
};

struct Collected {
    // With next observations, terminals, timeouts and the attributes that are needed to make it
    // again: env and its EnvironmentInfo::provenance, policy and policy_sha256 or behaviour, noise
    // and random_steps where there are any, seed, episodes or steps as asked for, drydock_version,
    // and stopped_after_episodes when it was stopped: `episodes` below.
    data::Dataset dataset;
    std::int64_t episodes = 0;   // that have rows; the last may be cut where steps were asked for
    std::int64_t fallbacks = 0;  // rows in which the policy met a value that is not finite
    bool stopped = false;        // before what was asked for was there; then maybe without rows
    // What the environment threw in the episode after these, which are whole; "" where it did not.
    std::string failure;
};

// Every draw is a function of (seed, episode, step): the environment's start as it documents, the
// behaviour's as envs/behaviour.h does, and at step `episode` of three more streams (base/philox.h)
//   collect_noise   normals, element step * action_size + j
//   collect_choice  uniforms, element step: below random_steps makes the step a random one
//   collect_action  uniforms, element step * action_size + j: the action of such a step
// A policy's context is reset at every start of an episode, and sees every observation, also those
// of random steps. Each row is in memory once, and one column twice while it grows.
//
// Throws Error (usage) for unknown names, both a policy and a behaviour, numbers out of range and
// when not exactly one of episodes and steps is above 0; Error for a policy that does not load or
// whose sizes differ, and what the environment throws in the first episode. What it throws in a
// later one ends the collection like a stop.
Collected collect_episodes(const CollectOptions& options, const CollectCallbacks& callbacks = {});

// Its data set alone, whole: throws Error for a failure, too. data::write_d4rl writes it.
data::Dataset collect(const CollectOptions& options);

}  // namespace drydock::training
