// A policy file that a test can bend: its parts as maps, its bytes, and what it should answer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

struct TestTensor {
    std::vector<std::uint64_t> shape;
    std::vector<float> values;
    std::string dtype = "F32";
};

struct TestPolicy {
    std::vector<std::uint64_t> sizes;
    std::string hidden_activation, head;
    std::string architecture;  // of another kind than mlp: the text
    std::map<std::string, std::string> metadata;
    std::map<std::string, TestTensor> tensors;

    // The safetensors file.
    std::vector<unsigned char> bytes() const;

    // Sets sha256_data and the architecture text from the rest.
    void describe();

    // Adds golden.observations (the given rows) and golden.actions (the oracle's).
    void add_golden(const std::vector<std::vector<float>>& observations);

    // The formula of docs/policy_file.md in double, in the natural order.
    std::vector<double> oracle(const std::vector<float>& observation) const;

    // The same in float and in the order that policy/forward.h promises, with std::fma.
    std::vector<float> exact(const std::vector<float>& observation) const;
};

// Uniforms in [low, high] that are multiples of 2^-16 of the range, so that files have the same
// bytes everywhere.
TestTensor uniform_tensor(std::vector<std::uint64_t> shape, double low, double high,
                          std::uint64_t seed, const std::string& name);

// Random weights of the size that trained ones have, a normaliser and bounds; valid as it is.
TestPolicy make_policy(std::vector<std::uint64_t> sizes, std::string hidden_activation = "relu",
                       std::string head = "tanh_mean", std::uint64_t seed = 1);

// `count` observations spread around the policy's mean.
std::vector<std::vector<float>> make_observations(const TestPolicy& policy, std::size_t count,
                                                  std::uint64_t seed = 2);
