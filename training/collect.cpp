#include "training/collect.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.h"
#include "envs/environment.h"
#include "training/collect_actor.h"
#include "training/parallel.h"

namespace drydock::training {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kReportSteps = 256;  // within an episode

// One episode, or the exception that ended it.
struct Played {
    data::Dataset rows;
    bool stopped = false;                 // before its end
    std::vector<std::int64_t> fallbacks;  // steps
    std::exception_ptr failure;
};

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from, std::int64_t count) {
    to.insert(to.end(), from.begin(), from.begin() + count);
}

// Puts episodes, which end in any order, one after the other, and says which to play next.
class Sequence {
  public:
    Sequence(const CollectOptions& options, const CollectCallbacks& callbacks, Collected& out)
        : options_(options), callbacks_(callbacks), out_(out) {}

    bool stopped() const { return callbacks_.stop != nullptr && callbacks_.stop->load(); }

    // Whether to drop an episode that is being played: not when a later one is complete, which
    // would then be lost with it.
    bool dropped(std::int64_t episode) const { return stopped() && episode > last_finished_; }

    // The next episode to play, or nothing when enough are played or being played.
    std::optional<std::int64_t> claim() {
        const std::lock_guard guard(lock_);
        const bool enough = options_.episodes > 0 ? claimed_ == options_.episodes
                                                  : finished_rows_ >= options_.steps;
        if (enough || halted_ || stopped()) return std::nullopt;
        return claimed_++;
    }

    // No more episodes: something is wrong.
    void halt() {
        const std::lock_guard guard(lock_);
        halted_ = true;
    }

    void add(std::int64_t episode, Played played) {
        const std::lock_guard guard(lock_);
        halted_ = halted_ || played.failure;
        finished_rows_ += played.rows.rows;
        if (!played.stopped) {
            ++finished_;
            last_finished_ = std::max(last_finished_.load(), episode);
        }
        waiting_.emplace(episode, std::move(played));
        for (auto it = waiting_.begin(); it != waiting_.end() && it->first == next_; ++next_) {
            take(it->second);
            it = waiting_.erase(it);
        }
        report();
    }

    void count_steps(std::int64_t steps) {
        played_rows_ += steps;
        const std::unique_lock guard(lock_, std::try_to_lock);
        if (guard) report();
    }

    // After all threads: throws what the first failed episode threw, if it is needed and there is
    // nothing before it.
    void finish() {
        if (complete()) return;
        out_.stopped = true;
        if (!failure_) return;
        if (out_.episodes == 0) std::rethrow_exception(failure_);
        try {
            std::rethrow_exception(failure_);
        } catch (const Error& error) {
            out_.failure = error.what();
        }
    }

  private:
    bool complete() const {
        return options_.episodes > 0 ? out_.episodes == options_.episodes
                                     : out_.dataset.rows == options_.steps;
    }

    // Appends the episode whose turn it is, as far as its rows are asked for.
    void take(const Played& played) {
        if (complete() || failure_ || cut_) return;
        failure_ = played.failure;
        if (failure_) return;
        cut_ = played.stopped;
        // Whole episodes are a stopped file's unless rows were asked for.
        if (cut_ && (options_.steps == 0 || played.rows.rows == 0)) return;
        const data::Dataset& from = played.rows;
        data::Dataset& to = out_.dataset;
        const std::int64_t rows =
            options_.steps > 0 ? std::min(from.rows, options_.steps - to.rows) : from.rows;
        append(to.observations, from.observations, rows * to.observation_size);
        append(to.actions, from.actions, rows * to.action_size);
        append(to.rewards, from.rewards, rows);
        append(to.next_observations, from.next_observations, rows * to.observation_size);
        append(to.terminals, from.terminals, rows);
        append(to.timeouts, from.timeouts, rows);
        to.rows += rows;
        ++out_.episodes;
        out_.fallbacks += std::count_if(played.fallbacks.begin(), played.fallbacks.end(),
                                        [rows](std::int64_t step) { return step < rows; });
    }

    void report() {
        if (!callbacks_.progress) return;
        const std::chrono::duration<double> since = Clock::now() - begin_;
        callbacks_.progress({finished_, played_rows_.load(), since.count()});
    }

    const CollectOptions& options_;
    const CollectCallbacks& callbacks_;
    Collected& out_;
    const Clock::time_point begin_ = Clock::now();
    std::mutex lock_;
    std::map<std::int64_t, Played> waiting_;
    std::int64_t claimed_ = 0, next_ = 0, finished_ = 0, finished_rows_ = 0;
    std::atomic<std::int64_t> played_rows_{0}, last_finished_{-1};
    std::exception_ptr failure_;
    bool halted_ = false;
    bool cut_ = false;  // the last episode that was taken, so that none may follow
};

// One thread: plays the episodes that the sequence gives it.
class Collector {
  public:
    Collector(const CollectOptions& options, const CollectActor& actor, Sequence& sequence)
        : environment_(envs::make_environment(options.environment)),
          hand_(actor),
          row_limit_(options.steps > 0 ? options.steps : std::numeric_limits<std::int64_t>::max()),
          seed_(options.seed),
          sequence_(sequence),
          observation_(static_cast<std::size_t>(environment_->info().observation_size)),
          action_(static_cast<std::size_t>(environment_->info().action_size)) {}

    void run() {
        while (const std::optional<std::int64_t> episode = sequence_.claim()) {
            Played played;
            try {
                play(*episode, played);
            } catch (const Error& error) {
                played.failure = std::make_exception_ptr(Error(
                    fmt::format("[collect] episode {}: {}", *episode, error.what()), error.kind()));
            }
            sequence_.add(*episode, std::move(played));
        }
    }

  private:
    // To the episode's end, as many rows as are asked for in all, or a stop.
    void play(std::int64_t episode, Played& played) {
        data::Dataset& out = played.rows;
        hand_.begin(static_cast<std::uint64_t>(episode));
        environment_->reset(seed_, static_cast<std::uint64_t>(episode), observation_);
        std::int64_t reported = 0;
        for (bool over = false; !over;) {
            played.stopped = sequence_.dropped(episode);
            if (played.stopped) return;
            if (hand_.act(observation_, action_)) played.fallbacks.push_back(out.rows);
            out.observations.insert(out.observations.end(), observation_.begin(),
                                    observation_.end());
            out.actions.insert(out.actions.end(), action_.begin(), action_.end());
            const envs::StepResult step = environment_->step(action_, observation_);
            out.rewards.push_back(static_cast<float>(step.reward));
            out.next_observations.insert(out.next_observations.end(), observation_.begin(),
                                         observation_.end());
            out.terminals.push_back(step.terminal);
            out.timeouts.push_back(step.timeout);
            ++out.rows;
            over = step.terminal || step.timeout || out.rows == row_limit_;
            if (out.rows - reported == kReportSteps || over) {
                sequence_.count_steps(out.rows - reported);
                reported = out.rows;
            }
        }
    }

    std::unique_ptr<envs::Environment> environment_;
    CollectHand hand_;
    std::int64_t row_limit_;
    std::uint64_t seed_;
    Sequence& sequence_;
    std::vector<float> observation_, action_;
};

// How many there are at least.
std::int64_t planned_episodes(const CollectOptions& options, const envs::EnvironmentInfo& info) {
    if (options.episodes > 0) return options.episodes;
    return (options.steps - 1) / std::max<std::int64_t>(info.max_episode_steps, 1) + 1;
}

int count_threads(const CollectOptions& options, std::int64_t episodes) {
    const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    const int wanted = options.threads > 0 ? options.threads : cores;
    return static_cast<int>(std::min<std::int64_t>(wanted, episodes));
}

void play_all(const CollectOptions& options, const CollectActor& actor, std::int64_t planned,
              Sequence& sequence) {
    const int threads = count_threads(options, planned);
    const auto work = [&](std::int64_t) {
        try {
            Collector(options, actor, sequence).run();
        } catch (...) {
            sequence.halt();
            throw;
        }
    };
    parallel_for(threads, threads, [&] { return work; });
    sequence.finish();
}

void describe(Collected& collected, const CollectOptions& options) {
    auto& attributes = collected.dataset.attributes;
    attributes["seed"] = std::to_string(options.seed);
    attributes["drydock_version"] = DRYDOCK_VERSION;
    const bool by_episodes = options.episodes > 0;
    attributes[by_episodes ? "episodes" : "steps"] =
        std::to_string(by_episodes ? options.episodes : options.steps);
    if (collected.stopped) {
        attributes["stopped_after_episodes"] = std::to_string(collected.episodes);
    }
}

}  // namespace

Collected collect_episodes(const CollectOptions& options, const CollectCallbacks& callbacks) {
    if ((options.episodes > 0) == (options.steps > 0) || options.episodes < 0 ||
        options.steps < 0) {
        throw Error(
            fmt::format("[collect] expected either episodes or steps above 0, got {} and {}",
                        options.episodes, options.steps),
            ErrorKind::usage);
    }
    const auto environment = envs::make_environment(options.environment);
    const envs::EnvironmentInfo& info = environment->info();
    const std::int64_t planned = planned_episodes(options, info);
    const CollectActor actor(options, info, planned);
    Collected collected;
    collected.dataset.observation_size = info.observation_size;
    collected.dataset.action_size = info.action_size;
    collected.dataset.action_count = info.action_count;
    collected.dataset.attributes = actor.attributes();
    collected.dataset.attributes["env"] = info.name;
    for (const auto& [name, value] : info.provenance) collected.dataset.attributes[name] = value;
    Sequence sequence(options, callbacks, collected);
    play_all(options, actor, planned, sequence);
    describe(collected, options);
    return collected;
}

data::Dataset collect(const CollectOptions& options) {
    Collected collected = collect_episodes(options);
    if (!collected.failure.empty()) throw Error(collected.failure);
    return std::move(collected.dataset);
}

}  // namespace drydock::training
