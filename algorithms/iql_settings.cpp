// IQL's settings by name, and its presets.
#include <fmt/format.h>

#include <limits>

#include "algorithms/iql.h"
#include "base/error.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class IqlRecipe final : public Recipe {
  public:
    IqlRecipe();
    const char* name() const override { return "iql"; }
    CommonSettings& common() override { return s_.common; }
    std::vector<std::string> presets() const override { return {"corl"}; }
    std::string apply_preset(const std::string& preset, const std::string& dataset) override;
    void fit(std::int64_t observation_size, std::int64_t action_size) override;
    std::unique_ptr<Algorithm> make(State& state) const override { return make_iql(state, s_); }

  private:
    void set_row(const std::string& dataset, std::string& taken);

    IqlSettings s_;
};

IqlRecipe::IqlRecipe() {
    add_common_settings(settings_, s_.common);
    const auto number = [&](const char* name, double* field, const char* help, double low,
                            double high, bool open = false,
                            double none = std::numeric_limits<double>::quiet_NaN()) {
        settings_.add(name, field, help, {low, high, open, {}, none});
    };
    number("discount", &s_.discount, "of future rewards", 0, 1);
    number("expectile", &s_.expectile, "of the value regression: 0.5 is the mean, 1 the maximum", 0,
           1, true);
    number("temperature", &s_.temperature, "policy weight = exp(temperature * advantage)", 0,
           kInfinity);
    number("exp_advantage_max", &s_.exp_advantage_max, "cap of the policy weight", 0, kInfinity,
           true, kInfinity);
    number("polyak", &s_.polyak, "share of the critics that enters their targets per update", 0, 1);
    settings_.add("target_update_period", &s_.target_update_period,
                  "updates from one averaging of the targets to the next", {1, 1e12});
    number("v_learning_rate", &s_.v_learning_rate, "Adam's, of the value network", 0, kInfinity);
    number("q_learning_rate", &s_.q_learning_rate, "Adam's, of the critics", 0, kInfinity);
    number("actor_learning_rate", &s_.actor_learning_rate, "Adam's, of the policy", 0, kInfinity);
    settings_.add("learning_rate_schedule", &s_.learning_rate_schedule,
                  "of the value network and the critics",
                  {0, 0, false, {"constant", "cosine", "warmup"}});
    settings_.add("actor_learning_rate_schedule", &s_.actor_learning_rate_schedule,
                  "constant, cosine to 0 at max_steps, or warmup",
                  {0, 0, false, {"constant", "cosine", "warmup"}});
    add_adam_settings(settings_, s_.adam);
    number("log_std_min", &s_.log_std_min, "floor of the policy's log-deviation", -kInfinity,
           kInfinity, false, -kInfinity);
    number("log_std_max", &s_.log_std_max, "ceiling of the policy's log-deviation", -kInfinity,
           kInfinity, false, kInfinity);
    settings_.add("deterministic_policy", &s_.deterministic_policy,
                  "train the policy's mean by weighted squared error", {0, 0});
    number("max_action", &s_.max_action, "bound of the environment's actions", 0, kInfinity, true);
    settings_.add("initializer", &s_.initializer, "first values of all networks",
                  {0, 0, false, {"pytorch_default", "orthogonal", "xavier"}});
    settings_.add("layer_sizes", &s_.layer_sizes, "sizes by network: q1, q2, v, actor", {0, 0});
}

// CORL's configs/offline/iql of the locomotion, antmaze, adroit and maze2d tasks (all versions).
// Its adroit files also name an actor dropout, which its Gaussian policy never receives.
void IqlRecipe::set_row(const std::string& dataset, std::string& taken) {
    const auto starts_with = [&](const char* prefix) { return dataset.rfind(prefix, 0) == 0; };
    taken = dataset;
    if (starts_with("antmaze-")) {
        s_.expectile = 0.9;
        s_.temperature = 10.0;
        s_.common.reward_transform = "minus_one";
    } else if (starts_with("pen-") || starts_with("door-") || starts_with("hammer-") ||
               starts_with("relocate-")) {
        s_.expectile = 0.8;
    } else if (dataset == "hopper-medium-expert") {
        s_.expectile = 0.5;
        s_.temperature = 6.0;
    } else if (dataset == "hopper-medium" || dataset == "hopper-medium-replay") {
        s_.deterministic_policy = true;
        s_.polyak = 0.001;
        s_.common.reward_transform = "return_range";
    } else if (!starts_with("hopper-") && !starts_with("halfcheetah-") &&
               !starts_with("walker2d-") && !starts_with("maze2d-")) {
        taken.clear();
    }
}

std::string IqlRecipe::apply_preset(const std::string& preset, const std::string& dataset) {
    if (preset != "corl") {
        throw Error(fmt::format("[preset] expected one of {} for iql, got '{}'",
                                fmt::join(presets(), ", "), preset),
                    ErrorKind::usage);
    }
    const LayerSizes sizes = s_.layer_sizes;
    s_ = IqlSettings{};
    s_.layer_sizes = sizes;
    std::string taken;
    set_row(dataset, taken);
    if (taken.empty()) {
        return fmt::format(
            "preset corl: no row for data set '{}', general settings taken "
            "(name one with --preset-for)",
            dataset);
    }
    return fmt::format("preset corl: settings of data set '{}'", taken);
}

void IqlRecipe::fit(std::int64_t observation_size, std::int64_t action_size) {
    const std::int64_t pair = observation_size + action_size;
    for (const auto& [network, sizes] : s_.layer_sizes) {
        if (network == "q1" || network == "q2" || network == "v" || network == "actor") continue;
        throw Error(
            fmt::format("[settings] expected layer_sizes of q1, q2, v or actor, got '{}'", network),
            ErrorKind::usage);
    }
    if (s_.log_std_min > s_.log_std_max) {
        throw Error(fmt::format("[settings] expected log_std_min <= log_std_max, got {} and {}",
                                s_.log_std_min, s_.log_std_max),
                    ErrorKind::usage);
    }
    s_.layer_sizes.try_emplace("q1", std::vector<std::int64_t>{pair, 256, 256, 1});
    s_.layer_sizes.try_emplace("q2", std::vector<std::int64_t>{pair, 256, 256, 1});
    s_.layer_sizes.try_emplace("v", std::vector<std::int64_t>{observation_size, 256, 256, 1});
    s_.layer_sizes.try_emplace("actor",
                               std::vector<std::int64_t>{observation_size, 256, 256, action_size});
    const auto check = [&](const char* network, std::int64_t in, std::int64_t out) {
        const auto& sizes = s_.layer_sizes.at(network);
        if (sizes.front() != in || sizes.back() != out) {
            throw Error(
                fmt::format("[settings] expected layer_sizes of {} to run from {} to {}, got "
                            "[{}]; the data have {} observations and {} actions",
                            network, in, out, fmt::join(sizes, ", "), observation_size,
                            action_size),
                ErrorKind::usage);
        }
    };
    check("q1", pair, 1);
    check("q2", pair, 1);
    check("v", observation_size, 1);
    check("actor", observation_size, action_size);
}

}  // namespace

std::unique_ptr<Recipe> make_iql_recipe() { return std::make_unique<IqlRecipe>(); }

}  // namespace drydock::algorithms
