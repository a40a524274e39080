// Decision Transformer's settings by name, and its presets.
#include <fmt/format.h>

#include <limits>

#include "algorithms/dt.h"
#include "base/error.h"
#include "core/ops/ops.h"

namespace drydock::algorithms {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kMostSteps = kMaxAttentionTokens / 3;  // of three tokens each

class DtRecipe final : public Recipe {
  public:
    DtRecipe();
    const char* name() const override { return "dt"; }
    CommonSettings& common() override { return s_.common; }
    bool reads_outcomes() const override { return false; }
    // CORL's update_steps; the authors' max_iters times num_steps_per_iter.
    std::int64_t default_steps() const override { return 100000; }
    std::optional<WindowSpec> windows() const override;
    void fit(std::int64_t observation_size, std::int64_t action_size) override;
    std::unique_ptr<Algorithm> make(State& state) const override { return make_dt(state, s_); }

  protected:
    const std::vector<Preset>& preset_table() const override;

  private:
    void add_data();
    void add_network();
    void add_first_values();
    void add_training();
    std::int64_t timestep_rows() const;

    DtSettings s_;
};

DtRecipe::DtRecipe() {
    add_data();
    add_network();
    add_first_values();
    add_training();
}

void DtRecipe::add_data() {
    CommonSettings& c = s_.common;
    settings_.add("batch_size", &c.batch_size, "windows per update", {1, 1e6});
    settings_.add("max_steps", &c.max_steps, "horizon of the cosine schedule", {1, 1e12});
    settings_.add("normalize_observations", &c.normalize_observations,
                  "subtract the data's mean, divide by its deviation", {0, 0});
    settings_.add("observation_epsilon", &c.observation_epsilon,
                  "added to the deviation of every dimension", {0, 1e6});
    settings_.add("normalize_over", &c.normalize_over,
                  "rows whose mean and deviation normalise: of complete episodes, or all",
                  {0, 0, false, {"kept", "all"}});
    settings_.add("action_clip", &c.action_clip,
                  "largest size of the data's actions, once mapped into [-1, 1]",
                  {0, 1, false, {}, 1.0});
    settings_.add("max_action", &c.max_action, "bound of the environment's actions",
                  {0, kInfinity, true});
    settings_.add("padding", &s_.padding, "where a window has padding when its episode is short",
                  {0, 0, false, {"left", "right"}});
    settings_.add("pad_observation", &s_.pad_observation,
                  "observations of padding: 0 after normalisation, or before it",
                  {0, 0, false, {"normalized_zero", "raw_zero"}});
    settings_.add("pad_action", &s_.pad_action, "actions of padding", {-1e6, 1e6});
    settings_.add("reward_scale", &s_.reward_scale, "of returns-to-go", {0, kInfinity, true});
    settings_.add("discount", &s_.discount, "of the rewards in a return-to-go", {0, 1});
    settings_.add("target_returns", &s_.target_returns,
                  "returns to ask for when evaluating, with commas; empty: the data's best",
                  {0, 0});
}

void DtRecipe::add_network() {
    settings_.add("context_length", &s_.context_length, "steps in a window",
                  {1, static_cast<double>(kMostSteps)});
    settings_.add("layers", &s_.layers, "transformer blocks", {1, 1000});
    settings_.add("heads", &s_.heads, "of the attention", {1, 255});
    settings_.add("embedding_dim", &s_.embedding_dim, "width of a token", {1, 65536});
    settings_.add("mlp_dim", &s_.mlp_dim, "hidden width of a block; 0: four embedding_dim",
                  {0, 1e6});
    settings_.add("episode_len", &s_.episode_len, "longest episode", {1, 1e7});
    settings_.add("timestep_rows", &s_.timestep_rows,
                  "rows of the table of time steps; 0: episode_len, and context_length more where "
                  "padding stands behind",
                  {0, 1e7});
    settings_.add("activation", &s_.activation, "of a block's hidden layer",
                  {0, 0, false, {"relu", "gelu"}});
    settings_.add("layer_norm_epsilon", &s_.layer_norm_epsilon, "added to the variance", {0, 1e6});
    settings_.add("dropout", &s_.dropout, "rate, where the next three do not say", {0, 0.999999});
    settings_.add("embedding_dropout", &s_.embedding_dropout, "of the embedded tokens",
                  {0, 0.999999});
    settings_.add("attention_dropout", &s_.attention_dropout, "of attention weights",
                  {0, 0.999999});
    settings_.add("residual_dropout", &s_.residual_dropout, "of what a block's two parts add",
                  {0, 0.999999});
}

void DtRecipe::add_first_values() {
    const std::vector<std::string> names{"normal", "pytorch_default", "xavier"};
    settings_.add("embedding_initializer", &s_.embedding_initializer,
                  "first values of embed_* and predict_action", {0, 0, false, names});
    settings_.add("block_initializer", &s_.block_initializer, "of the blocks' linear layers",
                  {0, 0, false, names});
    settings_.add("qkv_initializer", &s_.qkv_initializer,
                  "of the projections to queries, keys and values", {0, 0, false, names});
    settings_.add("initial_std", &s_.initial_std, "deviation of the initialiser normal", {0, 1e6});
    settings_.add("timestep_std", &s_.timestep_std, "first deviation of the table of time steps",
                  {0, 1e6});
}

void DtRecipe::add_training() {
    settings_.add("loss_mean", &s_.loss_mean,
                  "squared errors are averaged over steps that are not padding, or over all",
                  {0, 0, false, {"valid", "all"}});
    settings_.add("learning_rate", &s_.learning_rate, "AdamW's", {0, kInfinity});
    settings_.add("learning_rate_schedule", &s_.learning_rate_schedule,
                  "constant, cosine to 0 at max_steps, or warmup", {0, 0, false, schedules()});
    add_adam_settings(settings_, s_.adam);
}

std::int64_t DtRecipe::timestep_rows() const {
    if (s_.timestep_rows > 0) return s_.timestep_rows;
    return s_.episode_len + (s_.padding == "right" ? s_.context_length : 0);
}

std::optional<WindowSpec> DtRecipe::windows() const {
    WindowSpec w;
    w.context_length = s_.context_length;
    w.left = s_.padding == "left";
    w.last_timestep = timestep_rows() - 1;
    w.reward_scale = s_.reward_scale;
    w.discount = s_.discount;
    w.pad_observation_raw = s_.pad_observation == "raw_zero";
    w.pad_action = s_.pad_action;
    w.normalize_over_all = s_.common.normalize_over == "all";
    return w;
}

void DtRecipe::fit(std::int64_t observation_size, std::int64_t action_size) {
    parse_returns(s_.target_returns);
    s_.timestep_rows = timestep_rows();
    s_.observation_size = observation_size;
    s_.action_size = action_size;
}

// corl: the defaults, and the rows of CORL's configs/offline/dt.
// paper: gym/experiment.py of the authors' code.
// tutorial: the size, discount and clipping of a much-read teaching page; the rest as the paper.
const std::vector<Preset>& DtRecipe::preset_table() const {
    static const Assignments kPaper{{"activation", "relu"},
                                    {"padding", "left"},
                                    {"pad_observation", "raw_zero"},
                                    {"pad_action", "-10"},
                                    {"loss_mean", "valid"},
                                    {"normalize_over", "kept"},
                                    {"embedding_initializer", "pytorch_default"},
                                    {"qkv_initializer", "normal"},
                                    {"timestep_std", "1"}};
    static const auto kTargets = [](const char* low_and_high) {
        return Assignments{{"target_returns", low_and_high}};
    };
    static const auto kLarge = [](const char* targets, const char* scale) {
        return Assignments{{"batch_size", "4096"},
                           {"learning_rate", "0.0008"},
                           {"reward_scale", scale},
                           {"target_returns", targets}};
    };
    static const auto kAntmaze = [](const char* targets) {
        return Assignments{{"reward_scale", "1"}, {"target_returns", targets}};
    };
    static const Preset kTutorial = [] {
        Preset p{"tutorial", kPaper, {}};
        for (const auto& [name, value] : Assignments{
                 {"layers", "6"}, {"heads", "4"}, {"discount", "0.99"}, {"gradient_clip", "1"}}) {
            p.settings.emplace_back(name, value);
        }
        return p;
    }();
    static const std::vector<Preset> kTable{
        {"corl",
         {},
         {{{"halfcheetah-*"}, kLarge("12000,6000", "0.001")},
          {{"hopper-*"}, kLarge("3600,1800", "0.001")},
          {{"walker2d-*"}, kLarge("5000,2500", "0.001")},
          {{"maze2d-*"}, kLarge("280,140", "1")},
          {{"pen-*"}, kLarge("3100,1550", "1")},
          {{"door-*"}, kLarge("2900,1450", "1")},
          {{"hammer-*"}, kLarge("12800,6400", "1")},
          {{"relocate-*"}, kLarge("4300,2150", "1")},
          {{"antmaze-umaze-diverse", "antmaze-medium-diverse", "antmaze-large-diverse"},
           kAntmaze("1,0.5,0.25,0.125,0.06,0.03")},
          {{"antmaze-*"}, kAntmaze("1,0.5")}}},
        {"paper",
         kPaper,
         {{{"halfcheetah-*"}, kTargets("12000,6000")},
          {{"hopper-*"}, kTargets("3600,1800")},
          {{"walker2d-*"}, kTargets("5000,2500")},
          {{"reacher2d-*"},
           {{"context_length", "5"}, {"reward_scale", "0.1"}, {"target_returns", "76,40"}}}}},
        kTutorial};
    return kTable;
}

}  // namespace

std::vector<double> parse_returns(const std::string& text) {
    if (text.empty()) return {};
    if (const auto values = parse_numbers(text)) return *values;
    throw Error(fmt::format("[settings] expected target_returns to be numbers that fit fp32 with "
                            "commas between them, as 3600,1800, got '{}'",
                            text),
                ErrorKind::usage);
}

std::unique_ptr<Recipe> make_dt_recipe() { return std::make_unique<DtRecipe>(); }

}  // namespace drydock::algorithms
