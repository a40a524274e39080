// Discrete CQL's settings by name, and its presets.
#include <fmt/format.h>

#include <limits>

#include "algorithms/discrete_cql.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class DiscreteCqlRecipe final : public Recipe {
  public:
    DiscreteCqlRecipe();
    const char* name() const override { return "discrete-cql"; }
    CommonSettings& common() override { return s_.common; }
    bool takes_real_actions() const override { return false; }
    bool takes_choices() const override { return true; }
    void fit(std::int64_t observation_size, std::int64_t action_size) override;
    std::unique_ptr<Algorithm> make(State& state) const override {
        return make_discrete_cql(state, s_);
    }

  protected:
    const std::vector<Preset>& preset_table() const override;

  private:
    DiscreteCqlSettings s_;
};

DiscreteCqlRecipe::DiscreteCqlRecipe() {
    add_common_settings(settings_, s_.common);
    settings_.add("discount", &s_.discount, "of future rewards", {0, 1});
    settings_.add("cql_alpha", &s_.cql_alpha, "weight of the conservative term", {0, kInfinity});
    settings_.add("head", &s_.head, "what Q predicts: the mean of returns, or quantiles of them",
                  {0, 0, false, {"mean", "quantile"}});
    settings_.add("quantiles", &s_.quantiles, "of the quantile head", {1, 1e4});
    settings_.add("double_dqn", &s_.double_dqn,
                  "Q chooses the next action that its target values; false: the target does",
                  {0, 0});
    settings_.add("td_error", &s_.td_error, "of the mean head",
                  {0, 0, false, {"huber", "squared"}});
    settings_.add("huber_threshold", &s_.huber_threshold, "from where the error counts linearly",
                  {0, kInfinity, true});
    settings_.add("polyak", &s_.polyak, "share of Q that enters its target; 1 copies it", {0, 1});
    settings_.add("target_update_period", &s_.target_update_period,
                  "updates from one change of the target to the next", {1, 1e12});
    settings_.add("learning_rate", &s_.learning_rate, "Adam's", {0, kInfinity});
    settings_.add("learning_rate_schedule", &s_.learning_rate_schedule,
                  "constant, cosine to 0 at max_steps, or warmup", {0, 0, false, schedules()});
    add_adam_settings(settings_, s_.adam);
    add_network_settings(settings_, s_.networks, "q");
}

// vector: the defaults, drydock's own, for tasks of a few observations; no publication has them.
// paper: the authors' atari/ (QR-DQN of Dopamine and its gin files), 1 % of the data.
// d3rlpy: its reproduction script of DiscreteCQL, 1 % of the data.
const std::vector<Preset>& DiscreteCqlRecipe::preset_table() const {
    static const Assignments kAtari{{"batch_size", "32"},
                                    {"cql_alpha", "4"},
                                    {"head", "quantile"},
                                    {"learning_rate", "5e-5"},
                                    {"normalize_observations", "false"}};
    const auto with = [](Assignments more) {
        more.insert(more.end(), kAtari.begin(), kAtari.end());
        return more;
    };
    static const std::vector<Preset> kTable{
        {"vector", {}, {}},
        {"paper",
         with({{"double_dqn", "false"},
               {"target_update_period", "8000"},
               {"adam_epsilon", "3.125e-4"}}),
         {}},
        {"d3rlpy", with({{"target_update_period", "2000"}, {"adam_epsilon", "3.125e-4"}}), {}}};
    return kTable;
}

void DiscreteCqlRecipe::fit(std::int64_t observation_size, std::int64_t) {
    const std::int64_t count = s_.common.action_count;
    if (count < 2) {
        throw Error(fmt::format("[settings] expected data whose actions are choices among two or "
                                "more for discrete-cql, got {}",
                                count == 0 ? "real numbers" : "one choice alone"),
                    ErrorKind::usage);
    }
    if (s_.head == "quantile" && s_.td_error != "huber") {
        throw Error("[settings] expected td_error huber with a quantile head, got squared",
                    ErrorKind::usage);
    }
    const std::int64_t outputs = count * (s_.head == "quantile" ? s_.quantiles : 1);
    fit_layer_sizes(s_.networks, {{"q", observation_size, outputs}},
                    fmt::format("the data have {} observations and {} choices, {} outputs each",
                                observation_size, count, outputs / count));
}

}  // namespace

std::unique_ptr<Recipe> make_discrete_cql_recipe() { return std::make_unique<DiscreteCqlRecipe>(); }

}  // namespace drydock::algorithms
