#include "tests/policy/kinds.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/philox.h"

namespace {

void add_interface(TestPolicy& p, std::uint64_t S, std::uint64_t A, std::uint64_t seed) {
    p.tensors["observation.mean"] = uniform_tensor({S}, -2, 2, seed, "mean");
    p.tensors["observation.std"] = uniform_tensor({S}, 0.25, 4, seed, "std");
    p.tensors["observation.clip"] = {{}, {10.0f}};
    p.tensors["action.scale"] = uniform_tensor({A}, 0.5, 2, seed, "scale");
    p.tensors["action.bias"] = uniform_tensor({A}, -0.5, 0.5, seed, "bias");
    p.tensors["action.low"] = uniform_tensor({A}, -3, -2, seed, "low");
    p.tensors["action.high"] = uniform_tensor({A}, 2.5, 3, seed, "high");
}

void add_layer(TestPolicy& p, const std::string& name, std::uint64_t out, std::uint64_t in,
               std::uint64_t seed) {
    const double bound = 1.5 / std::sqrt(static_cast<double>(in));
    p.tensors[name + ".weight"] = uniform_tensor({out, in}, -bound, bound, seed, name + ".weight");
    p.tensors[name + ".bias"] = uniform_tensor({out}, -0.25, 0.25, seed, name + ".bias");
}

void add_norm(TestPolicy& p, const std::string& name, std::uint64_t dim, std::uint64_t seed) {
    p.tensors[name + ".weight"] = uniform_tensor({dim}, 0.5, 1.5, seed, name + ".weight");
    p.tensors[name + ".bias"] = uniform_tensor({dim}, -0.25, 0.25, seed, name + ".bias");
}

double value(const TestPolicy& p, const std::string& name, std::size_t i) {
    return static_cast<double>(p.tensors.at(name).values[i]);
}

using Vector = std::vector<double>;

Vector normalised(const TestPolicy& p, const TestRow& observation) {
    Vector x;
    for (std::size_t i = 0; i < observation.size(); ++i) {
        const double clip = value(p, "observation.clip", 0);
        x.push_back(
            std::clamp((static_cast<double>(observation[i]) - value(p, "observation.mean", i)) /
                           value(p, "observation.std", i),
                       -clip, clip));
    }
    return x;
}

Vector to_environment(const TestPolicy& p, Vector x) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = std::clamp(value(p, "action.scale", i) * x[i] + value(p, "action.bias", i),
                          value(p, "action.low", i), value(p, "action.high", i));
    }
    return x;
}

Vector linear(const TestPolicy& p, const std::string& name, const Vector& x) {
    Vector y;
    for (std::size_t o = 0; o < p.tensors.at(name + ".bias").values.size(); ++o) {
        double sum = value(p, name + ".bias", o);
        for (std::size_t i = 0; i < x.size(); ++i) {
            sum += value(p, name + ".weight", o * x.size() + i) * x[i];
        }
        y.push_back(sum);
    }
    return y;
}

double activated(const std::string& name, double x) {
    return name == "relu"       ? std::max(x, 0.0)
           : name == "gelu"     ? 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)))
           : name == "identity" ? x
                                : std::tanh(x);
}

Vector norm(const TestPolicy& p, const std::string& name, const Vector& x) {
    const auto n = static_cast<double>(x.size());
    double mean = 0, variance = 0;
    for (const double v : x) mean += v / n;
    for (const double v : x) variance += (v - mean) * (v - mean) / n;
    Vector y;
    for (std::size_t i = 0; i < x.size(); ++i) {
        y.push_back((x[i] - mean) / std::sqrt(variance + value(p, "norm.epsilon", 0)) *
                        value(p, name + ".weight", i) +
                    value(p, name + ".bias", i));
    }
    return y;
}

Vector add(Vector a, const Vector& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
}

// Causal attention of token `query` over the tokens up to it; qkv[token] = (q, k, v).
Vector attention(const std::vector<Vector>& qkv, std::size_t query, std::size_t heads) {
    const std::size_t D = qkv[0].size() / 3, d = D / heads;
    Vector out(D, 0.0);
    for (std::size_t h = 0; h < heads; ++h) {
        Vector weight;
        double total = 0;
        for (std::size_t j = 0; j <= query; ++j) {
            double score = 0;
            for (std::size_t i = h * d; i < (h + 1) * d; ++i)
                score += qkv[query][i] * qkv[j][D + i];
            weight.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
            total += weight.back();
        }
        for (std::size_t j = 0; j <= query; ++j) {
            for (std::size_t i = h * d; i < (h + 1) * d; ++i) {
                out[i] += weight[j] / total * qkv[j][2 * D + i];
            }
        }
    }
    return out;
}

std::vector<Vector> run_block(const TestPolicy& p, const TransformerShape& shape, std::size_t b,
                              std::vector<Vector> x) {
    const std::string name = "blocks." + std::to_string(b) + ".";
    std::vector<Vector> qkv;
    for (const Vector& token : x) {
        qkv.push_back(linear(p, name + "attention.qkv", norm(p, name + "norm1", token)));
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = add(x[i], linear(p, name + "attention.out", attention(qkv, i, shape.heads)));
        Vector hidden = linear(p, name + "mlp.0", norm(p, name + "norm2", x[i]));
        for (double& h : hidden) h = activated(shape.activation, h);
        x[i] = add(x[i], linear(p, name + "mlp.1", hidden));
    }
    return x;
}

}  // namespace

TestPolicy make_choosing(std::vector<std::uint64_t> sizes, std::uint64_t seed) {
    TestPolicy p = make_policy(std::move(sizes), "relu", "argmax", seed);
    const auto choices = static_cast<float>(p.sizes.back());
    p.tensors["action.scale"] = {{1}, {1.0f}};
    p.tensors["action.bias"] = {{1}, {0.0f}};
    p.tensors["action.low"] = {{1}, {0.0f}};
    p.tensors["action.high"] = {{1}, {choices - 1.0f}};
    p.metadata["schema"] = "1.1";
    p.describe();
    return p;
}

TestPolicy make_best_of_n(const BestOfNShape& shape) {
    TestPolicy p;
    p.sizes = {shape.observations + shape.actions};
    p.sizes.insert(p.sizes.end(), shape.hidden.begin(), shape.hidden.end());
    p.sizes.push_back(1);
    add_interface(p, shape.observations, shape.actions, 3);
    std::ostringstream text;
    text << R"({"hidden_activation":")" << shape.activation << R"(","action_size":)"
         << shape.actions << R"(,"samples":)" << shape.samples << R"(,"seed":)" << shape.seed
         << R"(,"layer_sizes":[)" << p.sizes[0];
    for (std::size_t k = 1; k < p.sizes.size(); ++k) {
        add_layer(p, "layers." + std::to_string(k - 1), p.sizes[k], p.sizes[k - 1], 3);
        text << "," << p.sizes[k];
    }
    text << "]}";
    p.architecture = text.str();
    p.metadata = {{"format", "drydock.policy"}, {"schema", "1.1"}, {"kind", "best_of_n"}};
    p.describe();
    return p;
}

std::vector<double> best_of_n_oracle(const TestPolicy& p, const BestOfNShape& shape,
                                     const TestRow& observation, std::uint64_t call) {
    const Vector state = normalised(p, observation);
    Vector best;
    double highest = 0;
    for (std::uint64_t n = 0; n < shape.samples; ++n) {
        Vector x = state, candidate;
        for (std::uint64_t j = 0; j < shape.actions; ++j) {
            const std::uint64_t element = (call * shape.samples + n) * shape.actions + j;
            candidate.push_back(
                2.0 * static_cast<double>(drydock::uniform_f32(
                          shape.seed, drydock::stream_id("policy_samples"), 0, element)) -
                1.0);
        }
        x.insert(x.end(), candidate.begin(), candidate.end());
        for (std::size_t k = 0; k + 1 < p.sizes.size(); ++k) {
            x = linear(p, "layers." + std::to_string(k), x);
            for (double& h : x) {
                if (k + 2 < p.sizes.size()) h = activated(shape.activation, h);
            }
        }
        if (n == 0 || x[0] > highest) {
            highest = x[0];
            best = candidate;
        }
    }
    return to_environment(p, best);
}

std::string TransformerShape::text() const {
    std::ostringstream out;
    out << R"({"activation":")" << activation << R"(","head":")" << head
        << R"(","observation_size":)" << observations << R"(,"action_size":)" << actions
        << R"(,"layers":)" << layers << R"(,"heads":)" << heads << R"(,"embedding_dim":)" << dim
        << R"(,"mlp_dim":)" << mlp_dim << R"(,"context_length":)" << context << R"(,"episode_len":)"
        << episode_len << "}";
    return out.str();
}

TestPolicy make_transformer(const TransformerShape& shape, std::uint64_t seed) {
    TestPolicy p;
    const std::uint64_t D = shape.dim;
    add_interface(p, shape.observations, shape.actions, seed);
    p.architecture = shape.text();
    add_layer(p, "embed_return", D, 1, seed);
    add_layer(p, "embed_observation", D, shape.observations, seed);
    add_layer(p, "embed_action", D, shape.actions, seed);
    p.tensors["embed_timestep.weight"] =
        uniform_tensor({shape.episode_len, D}, -1, 1, seed, "timestep");
    add_norm(p, "embed_norm", D, seed);
    for (std::uint64_t b = 0; b < shape.layers; ++b) {
        const std::string name = "blocks." + std::to_string(b) + ".";
        add_norm(p, name + "norm1", D, seed);
        add_layer(p, name + "attention.qkv", 3 * D, D, seed);
        add_layer(p, name + "attention.out", D, D, seed);
        add_norm(p, name + "norm2", D, seed);
        add_layer(p, name + "mlp.0", shape.mlp_dim, D, seed);
        add_layer(p, name + "mlp.1", D, shape.mlp_dim, seed);
    }
    add_norm(p, "final_norm", D, seed);
    add_layer(p, "predict_action", shape.actions, D, seed);
    p.tensors["norm.epsilon"] = {{}, {1e-5f}};
    p.tensors["return.scale"] = {{}, {0.01f}};
    p.tensors["return.target"] = {{}, {200.0f}};
    p.metadata = {
        {"format", "drydock.policy"}, {"schema", "1.1"}, {"kind", "decision_transformer"}};
    p.describe();
    return p;
}

std::vector<std::vector<double>> transformer_oracle(const TestPolicy& p,
                                                    const TransformerShape& shape,
                                                    const TestRows& observations,
                                                    const TestRow& rewards, double target) {
    std::vector<Vector> returns, states, chosen, actions;
    double to_go = target * value(p, "return.scale", 0);
    for (std::size_t t = 0; t < observations.size(); ++t) {
        returns.push_back({to_go});
        states.push_back(normalised(p, observations[t]));
        const std::size_t first = t + 1 > shape.context ? t + 1 - shape.context : 0;
        std::vector<Vector> x;
        for (std::size_t s = first; s <= t; ++s) {
            Vector time;
            for (std::size_t i = 0; i < shape.dim; ++i) {
                const std::size_t row = std::min<std::size_t>(s, shape.episode_len - 1);
                time.push_back(value(p, "embed_timestep.weight", row * shape.dim + i));
            }
            x.push_back(add(linear(p, "embed_return", returns[s]), time));
            x.push_back(add(linear(p, "embed_observation", states[s]), time));
            if (s < t) x.push_back(add(linear(p, "embed_action", chosen[s]), time));
        }
        for (Vector& token : x) token = norm(p, "embed_norm", token);
        for (std::size_t b = 0; b < shape.layers; ++b) x = run_block(p, shape, b, x);
        Vector action = linear(p, "predict_action", norm(p, "final_norm", x.back()));
        for (double& a : action) a = activated(shape.head, a);
        chosen.push_back(action);
        actions.push_back(to_environment(p, action));
        to_go -= static_cast<double>(rewards[t]) * value(p, "return.scale", 0);
    }
    return actions;
}

void add_golden_episode(TestPolicy& p, const TransformerShape& shape, const TestRows& observations,
                        const TestRow& rewards) {
    const std::uint64_t rows = observations.size();
    TestTensor in{{rows, shape.observations}, {}}, out{{rows, shape.actions}, {}};
    const auto actions =
        transformer_oracle(p, shape, observations, rewards, value(p, "return.target", 0));
    for (std::size_t t = 0; t < rows; ++t) {
        in.values.insert(in.values.end(), observations[t].begin(), observations[t].end());
        for (const double a : actions[t]) out.values.push_back(static_cast<float>(a));
    }
    p.tensors["golden.observations"] = in;
    p.tensors["golden.actions"] = out;
    p.tensors["golden.rewards"] = {{rows}, rewards};
    p.describe();
}

TestRows episode_observations(std::uint64_t observations, std::size_t count, std::uint64_t seed) {
    TestRows rows;
    for (std::size_t t = 0; t < count; ++t) {
        rows.push_back(uniform_tensor({observations}, -4, 4, seed + t, "observations").values);
    }
    return rows;
}

TestRow episode_rewards(std::size_t count) {
    return uniform_tensor({count}, -2, 10, 3, "rewards").values;
}
