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
    add_common_settings(settings_, s_.common);
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
    add_network_settings(settings_, s_.networks, "actor");
}

// corl: the defaults, of CORL's any_percent_bc.py and its configs/offline/bc, which differ in
// nothing from one data set to the next.
// tutorial: the same on the observations as they are.
const std::vector<Preset>& BcRecipe::preset_table() const {
    static const std::vector<Preset> kTable{
        {"corl", {}, {}}, {"tutorial", {{"normalize_observations", "false"}}, {}}};
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
        s_.networks, {{"actor", observation_size, action_size}},
        fmt::format("the data have {} observations and {} actions", observation_size, action_size));
}

}  // namespace

std::unique_ptr<Recipe> make_bc_recipe() { return std::make_unique<BcRecipe>(); }

}  // namespace drydock::algorithms
