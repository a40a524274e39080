#include "tests/policy/policy_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "base/math.h"
#include "base/philox.h"
#include "base/sha256.h"

using namespace drydock;

namespace {

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    out += '"';
    return out;
}

std::string joined(const std::vector<std::uint64_t>& numbers) {
    std::string out = "[";
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        out += i == 0 ? "" : ",";
        out += std::to_string(numbers[i]);
    }
    out += ']';
    return out;
}

std::string data_of(const std::map<std::string, TestTensor>& tensors) {
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        const char* const first = reinterpret_cast<const char*>(tensor.values.data());
        data.append(first, tensor.values.size() * sizeof(float));
    }
    return data;
}

std::string layer(std::size_t k, const char* part) {
    std::string name = "layers.";
    name += std::to_string(k);
    name += '.';
    name += part;
    return name;
}

}  // namespace

TestTensor uniform_tensor(std::vector<std::uint64_t> shape, double low, double high,
                          std::uint64_t seed, const std::string& name) {
    std::uint64_t count = 1;
    for (const std::uint64_t n : shape) {
        count *= n;
    }
    TestTensor tensor{std::move(shape), {}};
    for (std::uint64_t i = 0; i < count; ++i) {
        const double u =
            static_cast<double>(random_index(seed, stream_id(name.c_str()), 0, i, 65537)) / 65536;
        tensor.values.push_back(static_cast<float>(low + (high - low) * u));
    }
    return tensor;
}

std::vector<unsigned char> TestPolicy::bytes() const {
    std::ostringstream json;
    json << "{\"__metadata__\":{";
    const char* comma = "";
    for (const auto& [key, value] : metadata) {
        json << comma << quoted(key) << ":" << quoted(value);
        comma = ",";
    }
    json << "}";
    std::uint64_t offset = 0;
    for (const auto& [name, tensor] : tensors) {
        const std::uint64_t end = offset + tensor.values.size() * sizeof(float);
        json << "," << quoted(name) << ":{\"dtype\":" << quoted(tensor.dtype)
             << ",\"shape\":" << joined(tensor.shape) << ",\"data_offsets\":[" << offset << ","
             << end << "]}";
        offset = end;
    }
    json << "}";
    std::string header = json.str();
    header.append((64 - (header.size() + 8) % 64) % 64, ' ');
    std::string file(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(file.data(), &length, sizeof length);
    file += header + data_of(tensors);
    return {file.begin(), file.end()};
}

void TestPolicy::describe() {
    std::ostringstream json;
    json << "{\"hidden_activation\":" << quoted(hidden_activation) << ",\"head\":" << quoted(head)
         << ",\"layer_sizes\":" << joined(sizes) << "}";
    metadata["architecture"] = architecture.empty() ? json.str() : architecture;
    const std::string data = data_of(tensors);
    Sha256 sha;
    sha.update(data.data(), data.size());
    char text[Sha256::kHexLength + 1];
    sha.finish_hex(text);
    metadata["sha256_data"] = text;
}

void TestPolicy::add_golden(const std::vector<std::vector<float>>& observations) {
    TestTensor in{{observations.size(), sizes.front()}, {}};
    TestTensor out{{observations.size(), sizes.back()}, {}};
    for (const std::vector<float>& observation : observations) {
        in.values.insert(in.values.end(), observation.begin(), observation.end());
        for (const double action : oracle(observation)) {
            out.values.push_back(static_cast<float>(action));
        }
    }
    tensors["golden.observations"] = in;
    tensors["golden.actions"] = out;
    describe();
}

std::vector<double> TestPolicy::oracle(const std::vector<float>& observation) const {
    const auto at = [this](const std::string& name, std::size_t i) {
        return static_cast<double>(tensors.at(name).values[i]);
    };
    const auto activated = [](const std::string& name, double x) {
        return name == "relu" ? std::max(x, 0.0) : name == "identity" ? x : std::tanh(x);
    };
    std::vector<double> x;
    for (std::size_t i = 0; i < observation.size(); ++i) {
        const double clip = at("observation.clip", 0);
        x.push_back(std::clamp((static_cast<double>(observation[i]) - at("observation.mean", i)) /
                                   at("observation.std", i),
                               -clip, clip));
    }
    for (std::size_t k = 0; k + 1 < sizes.size(); ++k) {
        std::vector<double> y;
        for (std::size_t o = 0; o < sizes[k + 1]; ++o) {
            double sum = at(layer(k, "bias"), o);
            for (std::size_t i = 0; i < x.size(); ++i) {
                sum += at(layer(k, "weight"), o * x.size() + i) * x[i];
            }
            y.push_back(activated(k + 2 == sizes.size() ? head : hidden_activation, sum));
        }
        x = y;
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = std::clamp(at("action.scale", i) * x[i] + at("action.bias", i), at("action.low", i),
                          at("action.high", i));
    }
    return x;
}

std::vector<float> TestPolicy::exact(const std::vector<float>& observation) const {
    const auto at = [this](const std::string& name, std::size_t i) {
        return tensors.at(name).values[i];
    };
    std::vector<float> x;
    for (std::size_t i = 0; i < observation.size(); ++i) {
        const float clip = at("observation.clip", 0);
        x.push_back(std::clamp(
            (observation[i] - at("observation.mean", i)) / at("observation.std", i), -clip, clip));
    }
    for (std::size_t k = 0; k + 1 < sizes.size(); ++k) {
        const bool last = k + 2 == sizes.size();
        std::vector<float> y;
        for (std::size_t o = 0; o < sizes[k + 1]; ++o) {
            float s[8] = {at(layer(k, "bias"), o)};
            for (std::size_t i = 0; i < x.size(); ++i) {
                float& sum = s[last ? i % 8 : 0];
                sum = std::fma(at(layer(k, "weight"), o * x.size() + i), x[i], sum);
            }
            const float sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
            const std::string& name = last ? head : hidden_activation;
            const float value = last ? sum : s[0];
            y.push_back(name == "relu"       ? std::max(value, 0.0f)
                        : name == "identity" ? value
                                             : drydock::tanh<HardwareFma>(value));
        }
        x = y;
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = std::clamp(std::fma(at("action.scale", i), x[i], at("action.bias", i)),
                          at("action.low", i), at("action.high", i));
    }
    return x;
}

TestPolicy make_policy(std::vector<std::uint64_t> sizes, std::string hidden_activation,
                       std::string head, std::uint64_t seed) {
    TestPolicy p;
    p.sizes = std::move(sizes);
    p.hidden_activation = std::move(hidden_activation);
    p.head = std::move(head);
    const std::uint64_t S = p.sizes.front(), A = p.sizes.back();
    p.tensors["observation.mean"] = uniform_tensor({S}, -2, 2, seed, "mean");
    p.tensors["observation.std"] = uniform_tensor({S}, 0.25, 4, seed, "std");
    p.tensors["observation.clip"] = {{}, {10.0f}};
    p.tensors["action.scale"] = uniform_tensor({A}, 0.5, 2, seed, "scale");
    p.tensors["action.bias"] = uniform_tensor({A}, -0.5, 0.5, seed, "bias");
    p.tensors["action.low"] = uniform_tensor({A}, -3, -2, seed, "low");
    p.tensors["action.high"] = uniform_tensor({A}, 2.5, 3, seed, "high");
    for (std::size_t k = 0; k + 1 < p.sizes.size(); ++k) {
        const double bound = 1.5 / std::sqrt(static_cast<double>(p.sizes[k]));
        p.tensors[layer(k, "weight")] =
            uniform_tensor({p.sizes[k + 1], p.sizes[k]}, -bound, bound, seed, layer(k, "weight"));
        p.tensors[layer(k, "bias")] =
            uniform_tensor({p.sizes[k + 1]}, -0.25, 0.25, seed, layer(k, "bias"));
    }
    p.metadata = {{"format", "drydock.policy"}, {"schema", "1.0"}, {"kind", "mlp"}};
    p.describe();
    return p;
}

std::vector<std::vector<float>> make_observations(const TestPolicy& policy, std::size_t count,
                                                  std::uint64_t seed) {
    std::vector<std::vector<float>> rows;
    for (std::size_t row = 0; row < count; ++row) {
        rows.push_back(
            uniform_tensor({policy.sizes.front()}, -4, 4, seed + row, "observations").values);
    }
    return rows;
}
