// TD3+BC's settings by name, and its presets.
#include <fmt/format.h>

#include <limits>

#include "algorithms/td3bc.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Td3BcRecipe final : public Recipe {
  public:
    Td3BcRecipe();
    const char* name() const override { return "td3bc"; }
    CommonSettings& common() override { return s_.common; }
    void fit(std::int64_t observation_size, std::int64_t action_size) override;
    std::unique_ptr<Algorithm> make(State& state) const override { return make_td3bc(state, s_); }

  protected:
    const std::vector<Preset>& preset_table() const override;

  private:
    void add_optimizers();

    Td3BcSettings s_;
};

Td3BcRecipe::Td3BcRecipe() {
    add_common_settings(settings_, s_.common);
    settings_.add("discount", &s_.discount, "of future rewards", {0, 1});
    settings_.add("alpha", &s_.alpha, "weight of the critic against imitation; 0 imitates only",
                  {0, kInfinity});
    settings_.add("policy_noise", &s_.policy_noise,
                  "deviation of the noise on the target policy's actions, in max_action",
                  {0, kInfinity});
    settings_.add("noise_clip", &s_.noise_clip, "largest size of that noise, in max_action",
                  {0, kInfinity, false, {}, kInfinity});
    settings_.add("policy_period", &s_.policy_period,
                  "updates from one step of the actor and the targets to the next", {1, 1e12});
    settings_.add("polyak", &s_.polyak, "share of the networks that enters their targets", {0, 1});
    add_optimizers();
    add_network_settings(settings_, s_.networks, "q1, q2, actor");
}

void Td3BcRecipe::add_optimizers() {
    settings_.add("learning_rate", &s_.learning_rate, "Adam's, of all networks", {0, kInfinity});
    settings_.add("q_learning_rate", &s_.q_learning_rate,
                  "of the critics, where it is not learning_rate", {0, kInfinity});
    settings_.add("actor_learning_rate", &s_.actor_learning_rate,
                  "of the policy, where it is not learning_rate", {0, kInfinity});
    settings_.add("learning_rate_schedule", &s_.learning_rate_schedule,
                  "constant, cosine to 0 at max_steps, or warmup", {0, 0, false, schedules()});
    std::vector<std::string> words = schedules();
    words.insert(words.begin(), "null");
    settings_.add("actor_learning_rate_schedule", &s_.actor_learning_rate_schedule,
                  "of the policy; null is learning_rate_schedule", {0, 0, false, words});
    add_adam_settings(settings_, s_.adam);
}

// corl: the defaults, and the rows of CORL's configs/offline/td3_bc.
// paper: the authors' TD3_BC.py and main.py, which ran on the locomotion tasks alone.
const std::vector<Preset>& Td3BcRecipe::preset_table() const {
    static const std::vector<Preset> kTable{
        {"corl",
         {},
         {{{"halfcheetah-*", "hopper-*", "walker2d-*", "maze2d-*", "pen-*", "door-*", "hammer-*",
            "relocate-*"},
           {}},
          {{"antmaze-*"}, {{"reward_transform", "minus_one"}}}}},
        {"paper", {}, {}}};
    return kTable;
}

void Td3BcRecipe::fit(std::int64_t observation_size, std::int64_t action_size) {
    if (!s_.learning_rate && !(s_.q_learning_rate && s_.actor_learning_rate)) {
        throw Error(
            "[settings] expected learning_rate to be a number, or q_learning_rate and "
            "actor_learning_rate to be; got null",
            ErrorKind::usage);
    }
    const std::int64_t pair = observation_size + action_size;
    fit_layer_sizes(
        s_.networks, {{"q1", pair, 1}, {"q2", pair, 1}, {"actor", observation_size, action_size}},
        fmt::format("the data have {} observations and {} actions", observation_size, action_size));
}

}  // namespace

std::unique_ptr<Recipe> make_td3bc_recipe() { return std::make_unique<Td3BcRecipe>(); }

}  // namespace drydock::algorithms
