#include "training/export_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace drydock::training {
namespace {

using algorithms::PolicyNetwork;
using algorithms::TransformerSpec;

// A parameter as f32, whatever the session computes in.
struct Values {
    std::vector<std::int64_t> shape;
    std::vector<float> values;

    std::int64_t row_size() const {
        std::int64_t n = 1;
        for (std::size_t i = 1; i < shape.size(); ++i) n *= shape[i];
        return n;
    }
    TensorData tensor() const { return TensorData::of(shape, std::span<const float>(values)); }
};

Values parameter(State& state, const std::string& name) {
    const std::optional<ParameterRef> found = find_parameter(state, name);
    if (!found) throw Error(fmt::format("[export] expected a parameter '{}', there is none", name));
    Values out;
    for (int i = 0; i < found->spec().shape.rank(); ++i) {
        out.shape.push_back(found->spec().shape[i]);
    }
    for (const double x : found->group->read(found->index)) {
        if (!std::isfinite(x)) {
            throw Error(
                fmt::format("[export] expected finite weights, got {} in '{}'; the run "
                            "diverged: lower the learning rates",
                            x, name));
        }
        out.values.push_back(static_cast<float>(x));
    }
    return out;
}

// The first `rows` rows.
Values first_rows(Values from, std::int64_t rows, const std::string& name) {
    if (from.shape.empty() || from.shape[0] < rows) {
        throw Error(fmt::format("[export] expected {} rows or more in '{}', got {}", rows, name,
                                from.shape.empty() ? 0 : from.shape[0]));
    }
    from.shape[0] = rows;
    from.values.resize(static_cast<std::size_t>(rows * from.row_size()));
    return from;
}

// The first `rows` rows of a table of time steps; training's too has its last row for later steps.
Values timestep_rows(Values table, std::int64_t rows) {
    const std::int64_t width = table.row_size();
    table.values.resize(static_cast<std::size_t>(std::min(rows, table.shape[0]) * width));
    while (std::ssize(table.values) < rows * width) {
        table.values.push_back(table.values[table.values.size() - static_cast<std::size_t>(width)]);
    }
    table.shape[0] = rows;
    return table;
}

// Means of `count` consecutive rows.
Values mean_rows(const Values& from, std::int64_t count) {
    Values out{from.shape, {}};
    out.shape[0] /= count;
    const std::int64_t width = from.row_size();
    for (std::int64_t i = 0; i < out.shape[0] * width; ++i) {
        const std::int64_t row = i / width * count, column = i % width;
        double sum = 0;
        for (std::int64_t k = 0; k < count; ++k) {
            sum += static_cast<double>(
                from.values[static_cast<std::size_t>((row + k) * width + column)]);
        }
        out.values.push_back(static_cast<float>(sum / static_cast<double>(count)));
    }
    return out;
}

// Rows of the last layer that the policy puts out, before and after quantiles are averaged.
struct Outputs {
    std::int64_t rows, policy_rows;
};
Outputs outputs_of(const PolicyNetwork& n) {
    const std::int64_t all = n.layer_sizes.back();
    const std::int64_t rows = n.outputs > 0 ? n.outputs : all;
    const std::int64_t per = n.quantiles > 0 ? n.quantiles : 1;
    if (rows > all || rows % per != 0) {
        throw Error(
            fmt::format("[export] expected a last layer of {} rows or more, a multiple of "
                        "{} quantiles, got {}",
                        rows, per, all));
    }
    return {rows, rows / per};
}

void add_layers(TensorFile& file, const PolicyNetwork& network, Session& session) {
    const Outputs outputs = outputs_of(network);
    for (std::size_t k = 0; k + 1 < network.layer_sizes.size(); ++k) {
        const bool last = k + 2 == network.layer_sizes.size();
        for (const char* part : {"weight", "bias"}) {
            const std::string layer = fmt::format("layers.{}.{}", k, part);
            const std::string name = network.name + "." + layer;
            Values values = parameter(session.state(), name);
            if (last) values = first_rows(std::move(values), outputs.rows, name);
            if (last && network.quantiles > 0) values = mean_rows(values, network.quantiles);
            file.tensors[layer] = values.tensor();
        }
    }
}

void add_mlp(TensorFile& file, const PolicyNetwork& network, Session& session) {
    std::vector<std::int64_t> sizes = network.layer_sizes;
    sizes.back() = outputs_of(network).policy_rows;
    file.metadata["architecture"] =
        fmt::format(R"({{"head":"{}","hidden_activation":"{}","layer_sizes":[{}]}})", network.head,
                    network.hidden_activation, fmt::join(sizes, ","));
    add_layers(file, network, session);
    if (network.head == "argmax") file.metadata["schema"] = "1.1";
}

void add_best_of_n(TensorFile& file, const PolicyNetwork& network, Session& session) {
    file.metadata["schema"] = "1.1";
    file.metadata["architecture"] = fmt::format(
        R"({{"action_size":{},"hidden_activation":"{}","layer_sizes":[{}],"samples":{},"seed":{}}})",
        session.action_size(), network.hidden_activation, fmt::join(network.layer_sizes, ","),
        network.samples, session.state().counters().seed);
    add_layers(file, network, session);
}

std::vector<std::string> transformer_parameters(const TransformerSpec& t) {
    std::vector<std::string> names;
    const auto pair = [&](const std::string& name) {
        names.push_back(name + ".weight");
        names.push_back(name + ".bias");
    };
    for (const char* name : {"embed_return", "embed_observation", "embed_action", "embed_norm",
                             "final_norm", "predict_action"}) {
        pair(name);
    }
    for (std::int64_t b = 0; b < t.layers; ++b) {
        for (const char* part :
             {"norm1", "attention.qkv", "attention.out", "norm2", "mlp.0", "mlp.1"}) {
            pair(fmt::format("blocks.{}.{}", b, part));
        }
    }
    return names;
}

TensorData scalar(double x) {
    const auto value = static_cast<float>(x);
    return TensorData::of({}, std::span<const float>(&value, 1));
}

void add_transformer(TensorFile& file, const PolicyNetwork& network, Session& session) {
    const TransformerSpec& t = network.transformer.value();
    file.metadata["schema"] = "1.1";
    file.metadata["architecture"] = fmt::format(
        R"({{"action_size":{},"activation":"{}","context_length":{},"embedding_dim":{},)"
        R"("episode_len":{},"head":"{}","heads":{},"layers":{},"mlp_dim":{},)"
        R"("observation_size":{}}})",
        t.action_size, t.activation, t.context_length, t.embedding_dim, t.episode_len, network.head,
        t.heads, t.layers, t.mlp_dim, t.observation_size);
    for (const std::string& name : transformer_parameters(t)) {
        file.tensors[name] = parameter(session.state(), name).tensor();
    }
    const std::string table = "embed_timestep.weight";
    file.tensors[table] = timestep_rows(parameter(session.state(), table), t.episode_len).tensor();
    if (network.target_returns.empty()) {
        throw Error("[export] expected a target return or more, got none; set target_returns");
    }
    file.tensors["norm.epsilon"] = scalar(t.layer_norm_epsilon);
    file.tensors["return.scale"] = scalar(t.reward_scale);
    file.tensors["return.target"] = scalar(network.target_returns.front());
    file.metadata["target_returns"] = fmt::format("{}", fmt::join(network.target_returns, ","));
}

}  // namespace

void add_network(TensorFile& file, const PolicyNetwork& network, Session& session) {
    file.metadata["schema"] = "1.0";
    file.metadata["kind"] = network.kind;
    if (network.kind == "mlp") return add_mlp(file, network, session);
    if (network.kind == "best_of_n") return add_best_of_n(file, network, session);
    if (network.kind == "decision_transformer") return add_transformer(file, network, session);
    throw Error(fmt::format(
        "[export] expected a policy of kind mlp, best_of_n or decision_transformer, got '{}'",
        network.kind));
}

}  // namespace drydock::training
