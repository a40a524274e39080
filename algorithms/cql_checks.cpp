// Settings of CQL that do not go together.
#include <fmt/format.h>

#include "algorithms/cql.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

[[noreturn]] void refuse(const std::string& text) {
    throw Error("[settings] " + text, ErrorKind::usage);
}

void check_combinations(const CqlSettings& s) {
    if (s.log_std_min > s.log_std_max || s.clip_difference_min > s.clip_difference_max) {
        refuse(fmt::format(
            "expected log_std_min <= log_std_max and clip_difference_min <= "
            "clip_difference_max, got {} and {}, {} and {}",
            s.log_std_min, s.log_std_max, s.clip_difference_min, s.clip_difference_max));
    }
    const bool actorless = s.policy == "best_of_n";
    if (actorless && (s.conservative_term == "logsumexp" || s.target_actions == "policy" ||
                      s.lagrange || s.bc_steps > 0 || s.critics != 1)) {
        refuse(
            "expected conservative_term mean_difference, target_actions uniform, critics 1, "
            "lagrange false and bc_steps 0 with policy best_of_n, which has no actor");
    }
    if (s.max_target_backup && s.target_actions == "uniform") {
        refuse(
            "expected max_target_backup false with target_actions uniform, which takes the best of "
            "n_actions already; max_target_backup is for target_actions policy");
    }
    if (s.backup_entropy && (s.target_actions == "uniform" ||
                             (s.max_target_backup && s.max_target_order == "max_then_min"))) {
        refuse(
            "expected backup_entropy false where the targets' action is uniform or differs from "
            "critic to critic (max_target_order max_then_min): it has no one density; choose "
            "min_then_max");
    }
}

// A setting that plays no part would be believed to.
void check_idle(const CqlSettings& s, const Settings& settings) {
    static const std::vector<std::string> kOfActor{"automatic_entropy_tuning",
                                                   "target_entropy",
                                                   "alpha_multiplier",
                                                   "log_alpha_init",
                                                   "alpha_for_actor",
                                                   "critics_for_actor",
                                                   "log_std_min",
                                                   "log_std_max",
                                                   "log_std_multiplier_init",
                                                   "log_std_offset_init",
                                                   "log_std_scale_learned",
                                                   "tanh_log_density",
                                                   "scored_mean_limit",
                                                   "actor_learning_rate",
                                                   "alpha_learning_rate",
                                                   "alpha_prime_learning_rate",
                                                   "actor_learning_rate_schedule",
                                                   "actor_hidden_layers",
                                                   "importance_sample",
                                                   "cql_temperature",
                                                   "target_action_gap",
                                                   "weighted_action_gap",
                                                   "log_alpha_prime_init",
                                                   "max_target_order",
                                                   "mixing_ratio",
                                                   "updates_per_online_step"};
    static const std::vector<std::string> kOfSamples{"policy_samples"};
    const bool actorless = s.policy == "best_of_n";
    std::vector<std::string> idle;
    for (const std::string& name : actorless ? kOfActor : kOfSamples) {
        if (!settings.is_initial(name)) {
            idle.push_back(fmt::format("{}={}", name, settings.get(name)));
        }
    }
    if (idle.empty()) return;
    refuse(
        fmt::format("expected policy {} to go with settings that it reads, got "
                    "{}: {}; leave them out",
                    s.policy, fmt::join(idle, ", "),
                    actorless ? "it has no actor, and no density of its own"
                              : "it acts by the actor's mean, and samples nothing"));
}

}  // namespace

void check_cql(const CqlSettings& s, const Settings& settings) {
    check_combinations(s);
    check_idle(s, settings);
}

}  // namespace drydock::algorithms
