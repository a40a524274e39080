// Policy files of the other kinds, and what they should answer in double precision.
#pragma once

#include "tests/policy/policy_file.h"

using TestRow = std::vector<float>;
using TestRows = std::vector<TestRow>;

// An mlp with the head argmax: layer_sizes from the observation to the number of choices.
TestPolicy make_choosing(std::vector<std::uint64_t> sizes, std::uint64_t seed = 1);

struct BestOfNShape {
    std::vector<std::uint64_t> hidden = {16, 8};
    std::uint64_t observations = 3, actions = 2, samples = 10, seed = 5;
    std::string activation = "relu";
};
TestPolicy make_best_of_n(const BestOfNShape& shape);
// The action of call `call` of an episode, by the formula of docs/policy_file.md.
std::vector<double> best_of_n_oracle(const TestPolicy& policy, const BestOfNShape& shape,
                                     const TestRow& observation, std::uint64_t call);

struct TransformerShape {
    std::uint64_t observations = 3, actions = 2, layers = 2, heads = 2, dim = 16, mlp_dim = 24;
    std::uint64_t context = 4, episode_len = 12;
    std::string activation = "gelu";
    std::string head = "deterministic_tanh";

    std::string text() const;  // the architecture
};
TestPolicy make_transformer(const TransformerShape& shape, std::uint64_t seed = 1);

// The actions of an episode: for each step the whole window of the last `context` steps is computed
// anew. rewards[t] follows action t.
std::vector<std::vector<double>> transformer_oracle(const TestPolicy& policy,
                                                    const TransformerShape& shape,
                                                    const TestRows& observations,
                                                    const TestRow& rewards, double target);
// Adds golden rows: one episode with the file's own target.
void add_golden_episode(TestPolicy& policy, const TransformerShape& shape,
                        const TestRows& observations, const TestRow& rewards);

// `count` observations or rewards that a file of that many observations may meet.
TestRows episode_observations(std::uint64_t observations, std::size_t count,
                              std::uint64_t seed = 7);
TestRow episode_rewards(std::size_t count);
