#include "training/export_golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "training/loaded_policy.h"

namespace drydock::training {
namespace {

using algorithms::PolicyNetwork;
using Floats = std::vector<float>;

constexpr float kAgreement = 1e-5f;
constexpr std::int64_t kStepsBeyondContext = 12;

struct Golden {
    Floats observations, rewards, actions;  // rewards only where rows are an episode

    std::size_t rows(std::size_t observation_size) const {
        return observations.size() / observation_size;
    }
};

Floats runtime_actions(const LoadedPolicy& policy, const Golden& golden) {
    PolicyContext context(policy);
    const std::size_t s = policy.observation_size(), a = policy.action_size();
    Floats actions(golden.rows(s) * a);
    for (std::size_t i = 0; i < golden.rows(s); ++i) {
        const drydock_act_status status = context.act(
            std::span(golden.observations).subspan(i * s, s), std::span(actions).subspan(i * a, a));
        if (status & DRYDOCK_ACT_OUTPUT_NOT_FINITE) {
            throw Error(
                fmt::format("[export] expected finite actions, got an overflow in golden row "
                            "{}; the run diverged: lower the learning rates",
                            i));
        }
        if (!golden.rewards.empty()) context.observe_reward(golden.rewards[i]);
    }
    return actions;
}

// The engine's actions in an episode of normalised observations: each from its window anew.
Floats play_windows(const PolicyNetwork& network, Session& session, const Floats& observations,
                    const Floats& rewards) {
    const algorithms::TransformerSpec& spec = network.transformer.value();
    const std::size_t s = static_cast<std::size_t>(spec.observation_size),
                      a = static_cast<std::size_t>(spec.action_size),
                      context = static_cast<std::size_t>(spec.context_length);
    const auto scale = static_cast<float>(spec.reward_scale);
    Floats returns, actions;
    std::vector<std::int64_t> timesteps;
    float to_go = static_cast<float>(network.target_returns.front()) * scale;
    for (std::size_t t = 0; t < rewards.size(); ++t) {
        returns.push_back(to_go);
        to_go -= rewards[t] * scale;
        timesteps.push_back(std::min(static_cast<std::int64_t>(t), spec.episode_len - 1));
        actions.resize((t + 1) * a);  // the step's own is not known yet
        const std::size_t steps = std::min(t + 1, context), first = t + 1 - steps;
        const Floats window = session.act_window(
            {std::span(observations).subspan(first * s, steps * s),
             std::span(actions).subspan(first * a, steps * a),
             std::span(returns).subspan(first, steps), std::span(timesteps).subspan(first, steps)});
        std::copy(window.end() - static_cast<std::ptrdiff_t>(a), window.end(),
                  actions.end() - static_cast<std::ptrdiff_t>(a));
    }
    return actions;
}

// The engine's, in the environment's units.
Floats engine_actions(const PolicyNetwork& network, Session& session, const TrainingData& data,
                      const Golden& golden) {
    Floats observations = golden.observations;
    data.normalizer.apply(observations);
    Floats actions = network.transformer
                         ? play_windows(network, session, observations, golden.rewards)
                         : session.act(observations);
    const ActionMap& map = data.actions;
    for (std::size_t i = 0; i < actions.size(); ++i) {
        const std::size_t j = i % map.scale.size();
        actions[i] = std::clamp(map.scale[j] * actions[i] + map.bias[j], map.low[j], map.high[j]);
    }
    return actions;
}

// The dimension in which row `row` differs, in units of an action's half range; -1: in none.
int differs(const ActionMap& map, const Floats& a, const Floats& b, std::size_t row) {
    const std::size_t size = map.scale.size();
    for (std::size_t j = 0; j < size; ++j) {
        const float difference = std::fabs(a[row * size + j] - b[row * size + j]) / map.scale[j];
        if (!(difference <= kAgreement)) return static_cast<int>(j);
    }
    return -1;
}

[[noreturn]] void refuse(const ActionMap& map, const Floats& got, const Floats& want,
                         std::size_t row, int dimension) {
    const std::size_t at = row * map.scale.size() + static_cast<std::size_t>(dimension);
    throw Error(
        fmt::format("[export] expected the policy runtime to act as the trained network "
                    "does, within {}; got {} and {} (dimension {} of golden row {}). The "
                    "policy was not written: please report this",
                    kAgreement, got[at], want[at], dimension, row));
}

// Fills in the runtime's actions, and takes out rows at which choices differ.
void settle(Golden& golden, const LoadedPolicy& policy, const PolicyNetwork& network,
            Session& session, const TrainingData& data) {
    const bool chooses = network.head == "argmax" || network.kind == "best_of_n";
    const std::size_t s = policy.observation_size();
    std::size_t may_leave = chooses ? golden.rows(s) / 8 : 0;
    for (;;) {
        golden.actions = runtime_actions(policy, golden);
        const Floats engine = engine_actions(network, session, data, golden);
        std::size_t row = 0;
        int dimension = -1;
        for (; row < golden.rows(s) && dimension < 0; ++row) {
            dimension = differs(data.actions, golden.actions, engine, row);
        }
        if (dimension < 0) return;
        --row;
        if (may_leave == 0) refuse(data.actions, golden.actions, engine, row, dimension);
        // The candidates of best_of_n go with the number of a row: all rows are computed anew.
        --may_leave;
        const auto first = golden.observations.begin() + static_cast<std::ptrdiff_t>(row * s);
        golden.observations.erase(first, first + static_cast<std::ptrdiff_t>(s));
    }
}

// An episode from the data's observations, with rewards that use up the target.
Golden make_episode(const PolicyNetwork& network, const TrainingData& data) {
    const std::int64_t context = network.transformer->context_length;
    const std::size_t s = data.normalizer.mean.size();
    Golden golden;
    for (std::int64_t t = 0; t < context + kStepsBeyondContext; ++t) {
        const auto row = static_cast<std::size_t>(t % data.golden_rows);
        const auto first = data.golden_observations.begin() + static_cast<std::ptrdiff_t>(row * s);
        golden.observations.insert(golden.observations.end(), first,
                                   first + static_cast<std::ptrdiff_t>(s));
        const double share = static_cast<double>(1 + t % 3) / (2.0 * static_cast<double>(context));
        golden.rewards.push_back(static_cast<float>(network.target_returns.front() * share));
    }
    return golden;
}

}  // namespace

void add_golden(TensorFile& file, const PolicyNetwork& network, Session& session,
                const TrainingData& data) {
    const LoadedPolicy policy(serialize(file), "the exported policy");
    Golden golden;
    if (network.transformer) {
        golden = make_episode(network, data);
    } else {
        golden.observations = data.golden_observations;
    }
    settle(golden, policy, network, session, data);
    const auto s = static_cast<std::int64_t>(policy.observation_size());
    const auto a = static_cast<std::int64_t>(policy.action_size());
    const auto rows = static_cast<std::int64_t>(golden.rows(policy.observation_size()));
    const auto tensor = [](const std::vector<std::int64_t>& shape, const Floats& values) {
        return TensorData::of(shape, std::span<const float>(values));
    };
    file.tensors["golden.observations"] = tensor({rows, s}, golden.observations);
    file.tensors["golden.actions"] = tensor({rows, a}, golden.actions);
    if (network.transformer) file.tensors["golden.rewards"] = tensor({rows}, golden.rewards);
}

}  // namespace drydock::training
