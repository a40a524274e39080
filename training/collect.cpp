#include "training/collect.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "envs/behaviour.h"
#include "envs/environment.h"
#include "training/parallel.h"

namespace drydock::training {
namespace {

// One episode per thread at a time, each into a data set of its own.
class Collector {
  public:
    Collector(const CollectOptions& options, const envs::Behaviour& behaviour, std::int64_t first,
              std::vector<data::Dataset>& episodes)
        : environment_(envs::make_environment(options.environment)),
          behaviour_(behaviour),
          seed_(options.seed),
          first_(first),
          episodes_(episodes) {}

    void operator()(std::int64_t item) {
        const auto episode = static_cast<std::uint64_t>(first_ + item);
        const envs::EnvironmentInfo& info = environment_->info();
        std::vector<float> observation(static_cast<std::size_t>(info.observation_size));
        std::vector<float> action(static_cast<std::size_t>(info.action_size));
        data::Dataset& out = episodes_[static_cast<std::size_t>(item)];
        environment_->reset(seed_, episode, observation);
        for (bool over = false; !over; ++out.rows) {
            behaviour_.act(observation, seed_, episode, static_cast<std::uint64_t>(out.rows),
                           action);
            for (std::size_t j = 0; j < action.size(); ++j) {
                action[j] = std::clamp(action[j], info.action_low[j], info.action_high[j]);
            }
            out.observations.insert(out.observations.end(), observation.begin(), observation.end());
            out.actions.insert(out.actions.end(), action.begin(), action.end());
            const envs::StepResult step = environment_->step(action, observation);
            out.rewards.push_back(static_cast<float>(step.reward));
            out.next_observations.insert(out.next_observations.end(), observation.begin(),
                                         observation.end());
            out.terminals.push_back(step.terminal);
            out.timeouts.push_back(step.timeout);
            over = step.terminal || step.timeout;
        }
    }

  private:
    std::unique_ptr<envs::Environment> environment_;
    const envs::Behaviour& behaviour_;
    std::uint64_t seed_;
    std::int64_t first_;
    std::vector<data::Dataset>& episodes_;
};

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

void append(data::Dataset& to, const data::Dataset& from) {
    to.rows += from.rows;
    append(to.observations, from.observations);
    append(to.actions, from.actions);
    append(to.rewards, from.rewards);
    append(to.next_observations, from.next_observations);
    append(to.terminals, from.terminals);
    append(to.timeouts, from.timeouts);
}

void cut(data::Dataset& dataset, std::int64_t rows) {
    const auto n = static_cast<std::size_t>(rows);
    const auto s = static_cast<std::size_t>(dataset.observation_size);
    dataset.rows = rows;
    dataset.observations.resize(n * s);
    dataset.actions.resize(n * static_cast<std::size_t>(dataset.action_size));
    dataset.rewards.resize(n);
    dataset.next_observations.resize(n * s);
    dataset.terminals.resize(n);
    dataset.timeouts.resize(n);
}

std::int64_t episodes_for(std::int64_t rows, const envs::EnvironmentInfo& info) {
    const std::int64_t longest = std::max<std::int64_t>(info.max_episode_steps, 1);
    return (rows + longest - 1) / longest;
}

}  // namespace

data::Dataset collect(const CollectOptions& options) {
    if ((options.episodes > 0) == (options.steps > 0) || options.episodes < 0 ||
        options.steps < 0) {
        throw Error(
            fmt::format("[collect] expected either episodes or steps above 0, got {} and {}",
                        options.episodes, options.steps),
            ErrorKind::usage);
    }
    const auto environment = envs::make_environment(options.environment);
    const envs::EnvironmentInfo& info = environment->info();
    const std::int64_t planned =
        options.episodes > 0 ? options.episodes : episodes_for(options.steps, info);
    const auto behaviour =
        envs::make_behaviour(info, options.behaviour, static_cast<std::uint64_t>(planned));
    data::Dataset dataset;
    dataset.observation_size = info.observation_size;
    dataset.action_size = info.action_size;
    dataset.attributes = {{"env", info.name},
                          {"behaviour", options.behaviour},
                          {"seed", std::to_string(options.seed)}};
    // Episodes may end early: by steps, more rounds follow until there are enough rows. How many
    // episodes a round has depends on the rows so far and not on threads.
    std::int64_t done = 0;
    for (std::int64_t round = planned; round > 0;) {
        std::vector<data::Dataset> episodes(static_cast<std::size_t>(round));
        parallel_for(round, options.threads,
                     [&] { return Collector(options, *behaviour, done, episodes); });
        for (const data::Dataset& episode : episodes) append(dataset, episode);
        done += round;
        const std::int64_t missing = options.steps - dataset.rows;
        round = missing > 0 ? episodes_for(missing, info) : 0;
    }
    if (options.steps > 0) cut(dataset, options.steps);
    return dataset;
}

}  // namespace drydock::training
