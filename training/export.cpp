#include "training/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "training/loaded_policy.h"

namespace drydock::training {
namespace {

constexpr float kAgreement = 1e-5f;

using Floats = std::vector<float>;

TensorData vector_of(const Floats& values) {
    return TensorData::of({static_cast<std::int64_t>(values.size())},
                          std::span<const float>(values));
}

// A parameter as f32, whatever the session computes in.
TensorData parameter(State& state, const std::string& name) {
    const std::optional<ParameterRef> found = find_parameter(state, name);
    if (!found) throw Error(fmt::format("[export] expected a parameter '{}', there is none", name));
    std::vector<std::int64_t> shape;
    for (int i = 0; i < found->spec().shape.rank(); ++i) shape.push_back(found->spec().shape[i]);
    Floats values;
    for (const double x : found->group->read(found->index)) {
        if (!std::isfinite(x)) {
            throw Error(
                fmt::format("[export] expected finite weights, got {} in '{}'; the run "
                            "diverged: lower the learning rates",
                            x, name));
        }
        values.push_back(static_cast<float>(x));
    }
    return TensorData::of(shape, std::span<const float>(values));
}

void add_metadata(TensorFile& file, const algorithms::PolicyNetwork& network, Session& session,
                  const TrainingData& data, const Provenance& provenance) {
    const std::string architecture =
        fmt::format(R"({{"head":"{}","hidden_activation":"{}","layer_sizes":[{}]}})", network.head,
                    network.hidden_activation, fmt::join(network.layer_sizes, ","));
    file.metadata = {{"format", "drydock.policy"},
                     {"schema", "1.0"},
                     {"kind", "mlp"},
                     {"architecture", architecture},
                     {"trainer_version", DRYDOCK_VERSION},
                     {"algorithm", provenance.algorithm},
                     {"preset", provenance.preset},
                     {"dataset", data.name},
                     {"dataset_sha256", data.sha256},
                     {"train_steps", std::to_string(session.step())},
                     {"seed", std::to_string(provenance.seed)}};
    if (!provenance.environment.empty()) file.metadata["environment"] = provenance.environment;
    if (provenance.score) file.metadata["score"] = fmt::format("{}", *provenance.score);
}

void add_tensors(TensorFile& file, const algorithms::PolicyNetwork& network, Session& session,
                 const TrainingData& data) {
    auto& tensors = file.tensors;
    tensors["observation.mean"] = vector_of(data.normalizer.mean);
    tensors["observation.std"] = vector_of(data.normalizer.std);
    const float no_clip = std::numeric_limits<float>::infinity();
    tensors["observation.clip"] = TensorData::of({}, std::span<const float>(&no_clip, 1));
    tensors["action.scale"] = vector_of(data.actions.scale);
    tensors["action.bias"] = vector_of(data.actions.bias);
    tensors["action.low"] = vector_of(data.actions.low);
    tensors["action.high"] = vector_of(data.actions.high);
    for (std::size_t k = 0; k + 1 < network.layer_sizes.size(); ++k) {
        for (const char* part : {"weight", "bias"}) {
            const std::string layer = fmt::format("layers.{}.{}", k, part);
            tensors[layer] = parameter(session.state(), network.name + "." + layer);
        }
    }
}

Floats runtime_actions(const TensorFile& file, const TrainingData& data) {
    const LoadedPolicy policy(serialize(file), "the exported policy");
    PolicyContext context(policy);
    const std::size_t s = policy.observation_size(), a = policy.action_size();
    Floats actions(static_cast<std::size_t>(data.golden_rows) * a);
    for (std::size_t i = 0; i < static_cast<std::size_t>(data.golden_rows); ++i) {
        const drydock_act_status status =
            context.act(std::span(data.golden_observations).subspan(i * s, s),
                        std::span(actions).subspan(i * a, a));
        if (status & DRYDOCK_ACT_OUTPUT_NOT_FINITE) {
            throw Error(
                fmt::format("[export] expected finite actions, got an overflow in golden row "
                            "{}; the run diverged: lower the learning rates",
                            i));
        }
    }
    return actions;
}

// Compares with the engine in units of an action's half range.
void check_agreement(Session& session, const TrainingData& data, const Floats& actions) {
    Floats observations = data.golden_observations;
    data.normalizer.apply(observations);
    const Floats engine = session.act(observations);
    const ActionMap& map = data.actions;
    for (std::size_t i = 0; i < actions.size(); ++i) {
        const std::size_t j = i % map.scale.size();
        const float want =
            std::clamp(map.scale[j] * engine[i] + map.bias[j], map.low[j], map.high[j]);
        const float difference = std::fabs(actions[i] - want) / map.scale[j];
        if (difference <= kAgreement) continue;
        throw Error(
            fmt::format("[export] expected the policy runtime to act as the trained network "
                        "does, within {}; got {} and {} (dimension {} of golden row {}). The "
                        "policy was not written: please report this",
                        kAgreement, actions[i], want, j, i / map.scale.size()));
    }
}

}  // namespace

TensorFile make_policy_file(Session& session, const TrainingData& data,
                            const Provenance& provenance) {
    const algorithms::PolicyNetwork network = session.algorithm().policy();
    TensorFile file;
    add_metadata(file, network, session, data, provenance);
    add_tensors(file, network, session, data);
    const Floats actions = runtime_actions(file, data);
    check_agreement(session, data, actions);
    file.tensors["golden.observations"] = TensorData::of(
        {data.golden_rows, session.observation_size()}, std::span(data.golden_observations));
    file.tensors["golden.actions"] =
        TensorData::of({data.golden_rows, session.action_size()}, std::span<const float>(actions));
    file.metadata["sha256_data"] = sha256_of_data(file);
    return file;
}

}  // namespace drydock::training
