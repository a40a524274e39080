#include "training/evaluation.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "core/safetensors.h"
#include "envs/environment.h"
#include "training/loaded_policy.h"
#include "training/parallel.h"

namespace drydock::training {
namespace {

void check_sizes(const LoadedPolicy& policy, const envs::EnvironmentInfo& environment,
                 const std::string& name) {
    if (static_cast<std::int64_t>(policy.observation_size()) == environment.observation_size &&
        static_cast<std::int64_t>(policy.action_size()) == environment.action_size) {
        return;
    }
    throw Error(
        fmt::format("[evaluate] expected a policy of {} observations and {} actions for "
                    "environment '{}', got {} and {} in '{}'; name the environment that the "
                    "policy was trained for",
                    environment.observation_size, environment.action_size, environment.name,
                    policy.observation_size(), policy.action_size(), name));
}

void check_target(const LoadedPolicy& policy, const EvaluationOptions& options,
                  const std::string& name) {
    if (!options.target_return || std::string(policy.info().kind) == "decision_transformer") return;
    throw Error(
        fmt::format("[evaluate] expected a policy that looks at returns for a target return of {}, "
                    "got kind {} in '{}'; leave the target out",
                    *options.target_return, policy.info().kind, name),
        ErrorKind::usage);
}

// One thread's environment and context.
class Player {
  public:
    Player(const LoadedPolicy& policy, const EvaluationOptions& options,
           std::vector<EpisodeResult>& results)
        : environment_(envs::make_environment(options.environment)),
          context_(policy),
          seed_(options.seed),
          discount_(options.discount),
          stop_(options.stop),
          results_(results),
          observation_(policy.observation_size()),
          action_(policy.action_size()) {
        if (options.target_return) context_.set_target_return(*options.target_return);
    }

    void operator()(std::int64_t episode) {
        EpisodeResult result;
        result.episode = episode;
        context_.reset();
        environment_->reset(seed_, static_cast<std::uint64_t>(episode), observation_);
        double weight = 1.0;
        for (bool over = false; !over; ++result.length) {
            if (stop_ && stop_->load()) throw Stopped("[evaluate] stopped");
            const drydock_act_status status = context_.act(observation_, action_);
            if (status & (DRYDOCK_ACT_INPUT_NOT_FINITE | DRYDOCK_ACT_OUTPUT_NOT_FINITE)) {
                ++result.fallbacks;
            }
            const envs::StepResult step = environment_->step(action_, observation_);
            result.episode_return += step.reward;
            result.discounted_return += weight * step.reward;
            weight *= discount_;
            context_.observe_reward(step.reward);
            over = step.terminal || step.timeout;
        }
        result.score = envs::normalized_score(environment_->info(), result.episode_return);
        results_[static_cast<std::size_t>(episode)] = result;
    }

  private:
    std::unique_ptr<envs::Environment> environment_;
    PolicyContext context_;
    std::uint64_t seed_;
    double discount_;
    const std::atomic<bool>* stop_;
    std::vector<EpisodeResult>& results_;
    std::vector<float> observation_, action_;
};

}  // namespace

void summarize(Evaluation& e, const envs::EnvironmentInfo& environment) {
    const auto n = static_cast<double>(e.episodes.size());
    for (const EpisodeResult& r : e.episodes) {
        e.return_mean += r.episode_return / n;
        e.length_mean += static_cast<double>(r.length) / n;
    }
    double square = 0;
    for (const EpisodeResult& r : e.episodes) {
        square += (r.episode_return - e.return_mean) * (r.episode_return - e.return_mean);
    }
    e.return_std = std::sqrt(square / n);
    e.score_mean = envs::normalized_score(environment, e.return_mean);
    if (e.score_mean) {
        // The score is linear in the return.
        e.score_std = 100.0 * e.return_std /
                      std::fabs(*environment.reference_max - *environment.reference_min);
    }
}

Evaluation evaluate_policy(std::span<const std::byte> file, const std::string& name,
                           const EvaluationOptions& options) {
    if (options.episodes < 1) {
        throw Error(fmt::format("[evaluate] expected 1 episode or more, got {}", options.episodes),
                    ErrorKind::usage);
    }
    const auto environment = envs::make_environment(options.environment);
    const LoadedPolicy policy(file, name);
    check_sizes(policy, environment->info(), name);
    check_target(policy, options, name);
    Evaluation evaluation;
    evaluation.target_return = options.target_return;
    evaluation.environment = environment->info().name;
    evaluation.score_note = environment->info().score_note;
    evaluation.seed = options.seed;
    evaluation.episodes.resize(static_cast<std::size_t>(options.episodes));
    parallel_for(options.episodes, options.threads,
                 [&] { return Player(policy, options, evaluation.episodes); });
    summarize(evaluation, environment->info());
    return evaluation;
}

Evaluation evaluate_policy(const std::string& path, const EvaluationOptions& options) {
    const std::string file = policy_file(path);
    return evaluate_policy(read_bytes(file), file, options);
}

}  // namespace drydock::training
