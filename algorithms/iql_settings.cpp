// IQL's settings by name, and its presets.
#include <fmt/format.h>

#include <limits>

#include "algorithms/iql.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kBelowOne = 1.0 - 1e-15;

class IqlRecipe final : public Recipe {
  public:
    IqlRecipe();
    const char* name() const override { return "iql"; }
    CommonSettings& common() override { return s_.common; }
    const OnlineSettings* online() const override { return &s_.online; }
    void fit(std::int64_t observation_size, std::int64_t action_size) override;
    std::unique_ptr<Algorithm> make(State& state) const override { return make_iql(state, s_); }

  protected:
    const std::vector<Preset>& preset_table() const override;

  private:
    void add_update();
    void add_optimizers();
    void add_policy();
    void add_online();

    IqlSettings s_;
};

IqlRecipe::IqlRecipe() {
    add_common_settings(settings_, s_.common);
    add_update();
    add_optimizers();
    add_policy();
    add_online();
    add_network_settings(settings_, s_.networks, "q1, q2, v, actor");
}

void IqlRecipe::add_update() {
    const auto choice = [&](const char* name, std::string* field, const char* help,
                            std::vector<std::string> words) {
        settings_.add(name, field, help, {0, 0, false, std::move(words)});
    };
    settings_.add("discount", &s_.discount, "of future rewards", {0, 1});
    settings_.add("expectile", &s_.expectile,
                  "of the value regression: 0.5 is the mean, 1 the maximum", {0, 1, true});
    settings_.add("temperature", &s_.temperature, "policy weight = exp(temperature * advantage)",
                  {0, kInfinity});
    settings_.add("exp_advantage_max", &s_.exp_advantage_max, "cap of the policy weight",
                  {0, kInfinity, true, {}, kInfinity});
    settings_.add("target_critics", &s_.target_critics,
                  "averaged copies of the critics judge actions; false: the critics do", {0, 0});
    choice("value_for_targets", &s_.value_for_targets,
           "V(s') in the critics' targets: before_step or after_step of V",
           {"before_step", "after_step"});
    choice("advantage_from", &s_.advantage_from,
           "networks in the policy weight: before_steps, after_value_step (Q from before), or "
           "after_all_steps",
           {"before_steps", "after_value_step", "after_all_steps"});
    choice("critic_loss", &s_.critic_loss, "average or sum of the two critics' squared errors",
           {"average", "sum"});
    settings_.add("polyak", &s_.polyak, "share of the critics that enters their targets per update",
                  {0, 1});
    settings_.add("target_update_period", &s_.target_update_period,
                  "updates from one averaging of the targets to the next", {1, 1e12});
}

void IqlRecipe::add_optimizers() {
    settings_.add("v_learning_rate", &s_.v_learning_rate, "Adam's, of the value network",
                  {0, kInfinity});
    settings_.add("q_learning_rate", &s_.q_learning_rate, "Adam's, of the critics", {0, kInfinity});
    settings_.add("actor_learning_rate", &s_.actor_learning_rate, "Adam's, of the policy",
                  {0, kInfinity});
    settings_.add("learning_rate_schedule", &s_.learning_rate_schedule,
                  "of the value network and the critics", {0, 0, false, schedules()});
    settings_.add("actor_learning_rate_schedule", &s_.actor_learning_rate_schedule,
                  "constant, cosine to 0 at max_steps, or warmup", {0, 0, false, schedules()});
    add_adam_settings(settings_, s_.adam);
}

void IqlRecipe::add_policy() {
    settings_.add("log_std_min", &s_.log_std_min, "floor of the policy's log-deviation",
                  {-kInfinity, kInfinity, false, {}, -kInfinity});
    settings_.add("log_std_max", &s_.log_std_max, "ceiling of the policy's log-deviation",
                  {-kInfinity, kInfinity, false, {}, kInfinity});
    settings_.add("deterministic_policy", &s_.deterministic_policy,
                  "train the policy's mean by weighted squared error", {0, 0});
    settings_.add("actor_dropout", &s_.actor_dropout,
                  "rate after each hidden layer of the policy, while training",
                  {0, kBelowOne, false, {}, 0});
}

// The noise is that of CORL's algorithms/finetune/iql.py.
void IqlRecipe::add_online() {
    add_online_settings(settings_, s_.online);
    settings_.add("exploration_noise", &s_.exploration_noise,
                  "deviation of a deterministic policy's noise when fine-tuning", {0, kInfinity});
    settings_.add("exploration_noise_clip", &s_.exploration_noise_clip, "bound of that noise",
                  {0, kInfinity, false, {}, kInfinity});
}

// corl: the defaults, and the rows of CORL's configs/offline/iql.
// paper: the authors' learner.py, train_offline.py and configs/.
// tutorial: what teaching pages show, without a source that could be cited number by number.
const std::vector<Preset>& IqlRecipe::preset_table() const {
    static const std::vector<std::string> kAdroit{"pen-*", "door-*", "hammer-*", "relocate-*"};
    static const std::vector<Preset> kTable{
        {"corl",
         {},
         {{{"hopper-medium-expert"}, {{"expectile", "0.5"}, {"temperature", "6"}}},
          {{"hopper-medium", "hopper-medium-replay"},
           {{"deterministic_policy", "true"},
            {"polyak", "0.001"},
            {"reward_transform", "return_range"}}},
          {{"halfcheetah-*", "hopper-*", "walker2d-*", "maze2d-*"}, {}},
          {{"antmaze-*"},
           {{"expectile", "0.9"}, {"temperature", "10"}, {"reward_transform", "minus_one"}}},
          {kAdroit, {{"expectile", "0.8"}, {"actor_dropout", "0.1"}}}}},
        {"paper",
         {{"value_for_targets", "after_step"},
          {"advantage_from", "after_value_step"},
          {"critic_loss", "sum"},
          {"log_std_min", "-5"},
          {"initializer", "orthogonal"},
          {"normalize_observations", "false"},
          {"action_clip", "0.99999"}},
         {{{"halfcheetah-*", "hopper-*", "walker2d-*"}, {{"reward_transform", "trajectory_range"}}},
          {{"antmaze-*"},
           {{"expectile", "0.9"}, {"temperature", "10"}, {"reward_transform", "minus_one"}}},
          {{"kitchen-*"}, {{"temperature", "0.5"}, {"actor_dropout", "0.1"}}},
          {kAdroit, {{"temperature", "0.5"}, {"actor_dropout", "0.1"}}}}},
        {"tutorial",
         {{"deterministic_policy", "true"},
          {"temperature", "10"},
          {"target_critics", "false"},
          {"value_for_targets", "after_step"},
          {"advantage_from", "after_all_steps"},
          {"critic_loss", "sum"},
          {"actor_learning_rate_schedule", "constant"},
          {"normalize_observations", "false"}},
         {}}};
    return kTable;
}

void IqlRecipe::fit(std::int64_t observation_size, std::int64_t action_size) {
    if (s_.log_std_min > s_.log_std_max) {
        throw Error(fmt::format("[settings] expected log_std_min <= log_std_max, got {} and {}",
                                s_.log_std_min, s_.log_std_max),
                    ErrorKind::usage);
    }
    const std::int64_t pair = observation_size + action_size;
    fit_layer_sizes(
        s_.networks,
        {{"q1", pair, 1},
         {"q2", pair, 1},
         {"v", observation_size, 1},
         {"actor", observation_size, action_size}},
        fmt::format("the data have {} observations and {} actions", observation_size, action_size));
}

}  // namespace

std::unique_ptr<Recipe> make_iql_recipe() { return std::make_unique<IqlRecipe>(); }

}  // namespace drydock::algorithms
