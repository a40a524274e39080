// Behaviour cloning's settings by name, and its presets.
#include <fmt/format.h>

#include <limits>

#include "algorithms/bc.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class BcRecipe final : public Recipe {
  public:
    BcRecipe();
    const char* name() const override { return "bc"; }
    CommonSettings& common() override { return s_.common; }
    bool reads_outcomes() const override { return false; }
    bool takes_choices() const override { return true; }
    void fit(std::int64_t observation_size, std::int64_t action_size) override;
    std::unique_ptr<Algorithm> make(State& state) const override { return make_bc(state, s_); }

  protected:
    const std::vector<Preset>& preset_table() const override;

  private:
    BcSettings s_;
};

BcRecipe::BcRecipe() {
    s_.common.best_fraction = 1.0;
    s_.common.best_discount = 0.99;
    add_common_settings(settings_, s_.common);
    add_best_settings(settings_, s_.common);
    settings_.add("learning_rate", &s_.learning_rate, "Adam's", {0, kInfinity});
    settings_.add("actor_learning_rate", &s_.actor_learning_rate,
                  "another name of learning_rate, which it replaces unless it is null",
                  {0, kInfinity});
    std::vector<std::string> words = schedules();
    words.insert(words.begin(), "null");
    settings_.add("learning_rate_schedule", &s_.learning_rate_schedule,
                  "constant, cosine to 0 at max_steps, or warmup; null is constant",
                  {0, 0, false, words});
    settings_.add("actor_learning_rate_schedule", &s_.actor_learning_rate_schedule,
                  "another name, which replaces it unless it is null", {0, 0, false, words});
    add_adam_settings(settings_, s_.adam);
    settings_.add("actor_dropout", &s_.actor_dropout,
                  "rate after each hidden layer, while training", {0, 1.0 - 1e-15, false, {}, 0});
    settings_.add("hidden_layers", &s_.hidden_layers, "where layer_sizes does not say", {1, 64});
    settings_.add("hidden_size", &s_.hidden_size, "units in each of them", {1, 1e6});
    add_network_settings(settings_, s_.networks, "actor");
}

// corl: the defaults, of CORL's any_percent_bc.py and its configs/offline/bc, which differ in
// nothing from one data set to the next. corl-10: its configs/offline/bc_10, likewise.
// paper: the Decision Transformer authors' %BC, gym/experiment.py with model_type bc and pct_traj
// 0.1, whose network reads the last state here where theirs reads 20. tutorial: all of the data, on
// the observations as they are.
const std::vector<Preset>& BcRecipe::preset_table() const {
    static const std::vector<Preset> kTable{
        {"corl", {}, {}},
        {"corl-10", {{"best_fraction", "0.1"}, {"best_discount", "1"}}, {}},
        {"paper",
         {{"transitions", "corrected"},
          {"best_fraction", "0.1"},
          {"best_by", "transitions"},
          {"best_discount", "1"},
          {"normalize_over", "all"},
          {"observation_epsilon", "1e-06"},
          {"batch_size", "64"},
          {"learning_rate", "0.0001"},
          {"learning_rate_schedule", "warmup"},
          {"warmup_steps", "10000"},
          {"weight_decay", "0.0001"},
          {"actor_dropout", "0.1"},
          {"hidden_layers", "3"},
          {"hidden_size", "128"}},
         {}},
        {"tutorial", {{"best_fraction", "null"}, {"normalize_observations", "false"}}, {}}};
    return kTable;
}

void BcRecipe::fit(std::int64_t observation_size, std::int64_t action_size) {
    if (!s_.learning_rate && !s_.actor_learning_rate) {
        throw Error(
            "[settings] expected learning_rate or actor_learning_rate to be a number, got "
            "null for both",
            ErrorKind::usage);
    }
    const std::int64_t count = s_.common.action_count;
    if (count > 0) action_size = count;
    fit_layer_sizes(
        s_.networks,
        {{"actor", observation_size, action_size,
          std::vector<std::int64_t>(static_cast<std::size_t>(s_.hidden_layers), s_.hidden_size)}},
        fmt::format("the data have {} observations and {} actions", observation_size, action_size));
}

}  // namespace

std::unique_ptr<Recipe> make_bc_recipe() { return std::make_unique<BcRecipe>(); }

}  // namespace drydock::algorithms
