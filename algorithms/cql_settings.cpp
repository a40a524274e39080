// CQL's settings by name, and its presets.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "algorithms/cql.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class CqlRecipe final : public Recipe {
  public:
    CqlRecipe();
    const char* name() const override { return "cql"; }
    CommonSettings& common() override { return s_.common; }
    // Who acts by the best of uniform actions has no distribution to explore with.
    const OnlineSettings* online() const override {
        return s_.policy == "actor" ? &s_.online : nullptr;
    }
    void fit(std::int64_t observation_size, std::int64_t action_size) override;
    std::unique_ptr<Algorithm> make(State& state) const override { return make_cql(state, s_); }

  protected:
    const std::vector<Preset>& preset_table() const override;

  private:
    void choice(const char* name, std::string* field, const char* help,
                std::vector<std::string> words) {
        settings_.add(name, field, help, {0, 0, false, std::move(words)});
    }
    void add_critics();
    void add_conservative_term();
    void add_policy();
    void add_squashing();
    void add_optimizers();

    CqlSettings s_;
};

CqlRecipe::CqlRecipe() {
    add_common_settings(settings_, s_.common);
    add_critics();
    add_conservative_term();
    add_policy();
    add_squashing();
    add_optimizers();
    add_online_settings(settings_, s_.online);
    choice("initializer", &s_.initializer,
           "first values: corl (orthogonal critics, small last layers), rlkit, pytorch_default",
           {"corl", "rlkit", "pytorch_default"});
    const auto hidden = [&](const char* name, std::int64_t* field) {
        settings_.add(name, field, "hidden layers of 256 where layer_sizes does not say", {0, 64});
    };
    hidden("q1_hidden_layers", &s_.q1_hidden_layers);
    hidden("q2_hidden_layers", &s_.q2_hidden_layers);
    hidden("actor_hidden_layers", &s_.actor_hidden_layers);
    add_layer_sizes(settings_, s_.networks, "q1, q2, actor");
}

void CqlRecipe::add_critics() {
    settings_.add("discount", &s_.discount, "of future rewards", {0, 1});
    settings_.add("polyak", &s_.polyak, "share of the critics that enters their targets per update",
                  {0, 1});
    settings_.add("target_update_period", &s_.target_update_period,
                  "updates from one averaging of the targets to the next", {1, 1e12});
    settings_.add("critics", &s_.critics, "1 or 2", {1, 2});
    choice("target_actions", &s_.target_actions,
           "actions at s' in the targets: the policy's, or the best of n_actions uniform ones",
           {"policy", "uniform"});
    settings_.add("max_target_backup", &s_.max_target_backup,
                  "the best of n_actions of the policy's actions at s'", {0, 0});
    choice("max_target_order", &s_.max_target_order,
           "of several actions at s': the smaller critic's largest value, or the smallest of the "
           "critics' largest values",
           {"min_then_max", "max_then_min"});
    settings_.add("backup_entropy", &s_.backup_entropy, "subtract alpha log pi in the targets",
                  {0, 0});
}

void CqlRecipe::add_conservative_term() {
    choice("conservative_term", &s_.conservative_term,
           "what is above Q of the data: logsumexp over sampled actions, or the mean over uniform "
           "ones",
           {"logsumexp", "mean_difference"});
    settings_.add("n_actions", &s_.n_actions, "sampled actions per source and state", {1, 1e4});
    settings_.add("cql_alpha", &s_.cql_alpha, "weight of the conservative term", {0, kInfinity});
    settings_.add("cql_temperature", &s_.cql_temperature, "of the logsumexp", {0, kInfinity, true});
    settings_.add("importance_sample", &s_.importance_sample,
                  "subtract log densities in the logsumexp; false: and take Q of the data into it",
                  {0, 0});
    settings_.add("clip_difference_min", &s_.clip_difference_min,
                  "floor of each row's logsumexp - Q of the data",
                  {-kInfinity, kInfinity, false, {}, -kInfinity});
    settings_.add("clip_difference_max", &s_.clip_difference_max,
                  "ceiling of each row's logsumexp - Q of the data",
                  {-kInfinity, kInfinity, false, {}, kInfinity});
    settings_.add("lagrange", &s_.lagrange, "learn a factor that holds the gap at its target",
                  {0, 0});
    settings_.add("target_action_gap", &s_.target_action_gap,
                  "with lagrange: where the gap is held", {-kInfinity, kInfinity, true});
    settings_.add("weighted_action_gap", &s_.weighted_action_gap,
                  "cql_alpha multiplies gap - target; false: the gap alone", {0, 0});
    settings_.add("log_alpha_prime_init", &s_.log_alpha_prime_init,
                  "first logarithm of that factor", {-kInfinity, kInfinity, true});
}

void CqlRecipe::add_policy() {
    choice("policy", &s_.policy,
           "who acts: an actor, or the best of policy_samples uniform actions (best_of_n)",
           {"actor", "best_of_n"});
    settings_.add("policy_samples", &s_.policy_samples, "of best_of_n", {1, 1e4});
    settings_.add("automatic_entropy_tuning", &s_.automatic_entropy_tuning,
                  "learn alpha; false: alpha is alpha_multiplier", {0, 0});
    settings_.add("target_entropy", &s_.target_entropy, "of the policy; null is minus the actions",
                  {-kInfinity, kInfinity, true});
    settings_.add("alpha_multiplier", &s_.alpha_multiplier, "factor of alpha", {0, kInfinity});
    settings_.add("log_alpha_init", &s_.log_alpha_init, "first logarithm of alpha",
                  {-kInfinity, kInfinity, true});
    choice("alpha_for_actor", &s_.alpha_for_actor,
           "alpha in the actor's loss, from before or "
           "after its own step",
           {"before_step", "after_step"});
    choice("critics_for_actor", &s_.critics_for_actor,
           "critics in the actor's loss, from before or after their step",
           {"before_step", "after_step"});
    settings_.add("bc_steps", &s_.bc_steps,
                  "first updates in which log pi of the data stands for Q in the actor's loss",
                  {0, 1e12});
}

void CqlRecipe::add_squashing() {
    settings_.add("log_std_min", &s_.log_std_min, "floor of the policy's log-deviation",
                  {-kInfinity, kInfinity, false, {}, -kInfinity});
    settings_.add("log_std_max", &s_.log_std_max, "ceiling of the policy's log-deviation",
                  {-kInfinity, kInfinity, false, {}, kInfinity});
    settings_.add("log_std_multiplier_init", &s_.log_std_multiplier_init,
                  "first factor of the log-deviation output", {-kInfinity, kInfinity, true});
    settings_.add("log_std_offset_init", &s_.log_std_offset_init, "first value added to it",
                  {-kInfinity, kInfinity, true});
    settings_.add("log_std_scale_learned", &s_.log_std_scale_learned,
                  "train these two with the actor", {0, 0});
    choice("tanh_log_density", &s_.tanh_log_density,
           "log(1 - tanh^2): exact, or with 1e-6 added inside (epsilon)", {"exact", "epsilon"});
    settings_.add("scored_mean_limit", &s_.scored_mean_limit,
                  "bound of the mean where log pi of the data is taken",
                  {0, kInfinity, true, {}, kInfinity});
}

void CqlRecipe::add_optimizers() {
    const auto rate = [&](const char* name, double* field, const char* help) {
        settings_.add(name, field, help, {0, kInfinity});
    };
    rate("q_learning_rate", &s_.q_learning_rate, "Adam's, of the critics");
    rate("actor_learning_rate", &s_.actor_learning_rate, "Adam's, of the policy");
    rate("alpha_learning_rate", &s_.alpha_learning_rate, "Adam's, of log alpha");
    rate("alpha_prime_learning_rate", &s_.alpha_prime_learning_rate,
         "Adam's, of lagrange's log factor");
    settings_.add("learning_rate_schedule", &s_.learning_rate_schedule, "of all but the policy",
                  {0, 0, false, schedules()});
    settings_.add("actor_learning_rate_schedule", &s_.actor_learning_rate_schedule, "of the policy",
                  {0, 0, false, schedules()});
    add_adam_settings(settings_, s_.adam);
}

// corl: the defaults, and the rows of CORL's configs/offline/cql.
// paper: the authors' cql.py, policies.py and examples/cql_*_new.py.
// tutorial: what teaching pages show, without a source that could be cited number by number.
const std::vector<Preset>& CqlRecipe::preset_table() const {
    static const std::vector<std::string> kLocomotion{"halfcheetah-*", "hopper-*", "walker2d-*"};
    static const std::vector<std::string> kAdroit{"pen-*", "door-*", "hammer-*", "relocate-*"};
    static const std::vector<Preset> kTable{
        {"corl",
         {},
         {{{"hopper-medium"}, {{"reward_transform", "return_range"}}},
          {kLocomotion, {}},
          {{"maze2d-*"}, {{"lagrange", "true"}, {"target_action_gap", "5"}}},
          {{"antmaze-*"},
           {{"cql_alpha", "5"},
            {"lagrange", "true"},
            {"target_action_gap", "0.8"},
            {"max_target_backup", "true"},
            {"clip_difference_min", "-200"},
            {"actor_learning_rate", "1e-4"},
            {"alpha_learning_rate", "1e-4"},
            {"q1_hidden_layers", "5"},
            {"normalize_observations", "false"},
            {"reward_transform", "times_10_minus_5"}}},
          {kAdroit,
           {{"cql_alpha", "1"},
            {"actor_learning_rate", "1e-4"},
            {"alpha_learning_rate", "1e-4"}}}}},
        {"paper",
         {{"actor_learning_rate", "1e-4"},
          {"alpha_learning_rate", "1e-4"},
          {"alpha_for_actor", "after_step"},
          {"bc_steps", "40000"},
          {"cql_alpha", "1"},
          {"lagrange", "true"},
          {"target_action_gap", "5"},
          {"weighted_action_gap", "false"},
          {"log_alpha_prime_init", "0"},
          {"max_target_order", "max_then_min"},
          {"log_std_min", "-5"},
          {"log_std_offset_init", "0"},
          {"log_std_scale_learned", "false"},
          {"tanh_log_density", "epsilon"},
          {"scored_mean_limit", "9"},
          {"initializer", "rlkit"},
          {"normalize_observations", "false"}},
         {{kLocomotion, {{"cql_alpha", "5"}, {"lagrange", "false"}}},
          {{"antmaze-*"}, {{"cql_alpha", "5"}, {"reward_transform", "minus_half_times_4"}}}}},
        {"tutorial",
         {{"policy", "best_of_n"},
          {"critics", "1"},
          {"conservative_term", "mean_difference"},
          {"target_actions", "uniform"},
          {"n_actions", "10"},
          {"cql_alpha", "1"},
          {"q1_hidden_layers", "2"},
          {"initializer", "pytorch_default"},
          {"normalize_observations", "false"}},
         {}}};
    return kTable;
}

void CqlRecipe::fit(std::int64_t observation_size, std::int64_t action_size) {
    check_cql(s_, settings_);
    s_.action_size = action_size;
    const auto hidden = [](std::int64_t layers) {
        return std::vector<std::int64_t>(static_cast<std::size_t>(layers), 256);
    };
    const std::int64_t pair = observation_size + action_size;
    std::vector<NetworkEnds> ends{{"q1", pair, 1, hidden(s_.q1_hidden_layers)}};
    if (s_.critics == 2) ends.push_back({"q2", pair, 1, hidden(s_.q2_hidden_layers)});
    if (s_.policy == "actor") {
        ends.push_back(
            {"actor", observation_size, 2 * action_size, hidden(s_.actor_hidden_layers)});
    }
    fit_layer_sizes(
        s_.networks, ends,
        fmt::format("the data have {} observations and {} actions", observation_size, action_size));
}

}  // namespace

// corl: CORL's init_module_weights, which its policy calls without the orthogonal flag.
// rlkit: hidden layers by the first dimension of the weight, biases 0.1; last layers of +-3e-3
// (critics) and +-1e-3 (policy).
nn::MlpSpec network_spec(const CqlSettings& settings, const std::string& name) {
    nn::MlpSpec spec;
    spec.layer_sizes = settings.networks.layer_sizes.at(name);
    const bool actor = name == "actor";
    if (settings.initializer == "corl") {
        if (!actor) {
            spec.weights = Initializer::orthogonal;
            spec.biases = Initializer::zeros;
            spec.gain = std::sqrt(2.0);
        }
        spec.output_weights = actor ? Initializer::xavier : Initializer::orthogonal;
        spec.output_biases = Initializer::zeros;
        spec.output_gain = 1e-2;
    } else if (settings.initializer == "rlkit") {
        spec.weights = Initializer::fan_out;
        spec.biases = Initializer::ones;
        spec.bias_gain = 0.1;
        spec.output_weights = spec.output_biases = Initializer::uniform;
        spec.output_gain = actor ? 1e-3 : 3e-3;
    }
    return spec;
}

std::string cql_advice(const std::string& metric) {
    if (metric == "alpha") {
        return "This is the entropy temperature, which grows while the policy's entropy is below "
               "target_entropy: lower that or alpha_learning_rate, or fix it with "
               "automatic_entropy_tuning=false.";
    }
    if (metric == "alpha_prime") {
        return "This is lagrange's multiplier, which grows while the gap is above "
               "target_action_gap: raise that, lower alpha_prime_learning_rate, or set "
               "lagrange=false.";
    }
    return "";
}

std::unique_ptr<Recipe> make_cql_recipe() { return std::make_unique<CqlRecipe>(); }

}  // namespace drydock::algorithms
