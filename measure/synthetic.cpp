#include "measure/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/error.h"

namespace drydock::measure {
namespace {

using Random = std::mt19937_64;

float even(Random& random) {
    return static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-53);
}

// The sum of three even numbers: deviation 1, and quick for ten million rows.
float bell(Random& random) { return 2.0f * (even(random) + even(random) + even(random)) - 3.0f; }

std::vector<float> bells(std::int64_t n, Random& random) {
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& x : values) x = bell(random);
    return values;
}

std::vector<float> some_actions(const SyntheticSizes& sizes, std::int64_t choices, Random& random) {
    std::vector<float> values(static_cast<std::size_t>(sizes.transitions * sizes.actions));
    for (float& x : values) {
        x = choices > 0 ? static_cast<float>(random() % static_cast<std::uint64_t>(choices))
                        : 2.0f * even(random) - 1.0f;
    }
    return values;
}

void add_episodes(data::Transitions& t, const SyntheticSizes& sizes) {
    for (std::int64_t i = 0; i < t.count; i += sizes.episode) t.episode_offsets.push_back(i);
    t.episode_offsets.push_back(t.count);
    t.returns_to_go.resize(static_cast<std::size_t>(t.count));
    for (std::int64_t i = 0; i < t.count; ++i) {
        const std::int64_t left = sizes.episode - i % sizes.episode;
        t.returns_to_go[static_cast<std::size_t>(i)] = 0.001f * static_cast<float>(left);
    }
}

void add_outcomes(data::Transitions& t, Random& random) {
    t.next_observations = bells(t.count * t.observation_size, random);
    t.rewards.resize(static_cast<std::size_t>(t.count));
    t.terminals.resize(static_cast<std::size_t>(t.count));
    for (float& r : t.rewards) r = 1.0f + 0.1f * bell(random);
    for (float& done : t.terminals) done = random() % 1000 == 0 ? 1.0f : 0.0f;
}

}  // namespace

data::Transitions synthetic_transitions(const SyntheticSizes& sizes, algorithms::Recipe& recipe,
                                        std::uint64_t seed) {
    if (std::min({sizes.observations, sizes.actions, sizes.transitions, sizes.episode}) < 1) {
        throw Error(fmt::format("[measure] expected sizes of 1 or more, got {} observations, {} "
                                "actions, {} transitions",
                                sizes.observations, sizes.actions, sizes.transitions),
                    ErrorKind::usage);
    }
    Random random(seed);
    data::Transitions t;
    t.count = sizes.transitions;
    t.observation_size = sizes.observations;
    t.action_size = sizes.actions;
    t.action_count = recipe.common().action_count;
    t.observations = bells(t.count * t.observation_size, random);
    t.actions = some_actions(sizes, t.action_count, random);
    if (recipe.windows()) {
        add_episodes(t, sizes);
    } else if (recipe.reads_outcomes()) {
        add_outcomes(t, random);
    }
    return t;
}

}  // namespace drydock::measure
