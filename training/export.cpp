#include "training/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "training/export_golden.h"
#include "training/export_network.h"
#include "training/target_returns.h"

namespace drydock::training {
namespace {

using Floats = std::vector<float>;

TensorData vector_of(const Floats& values) {
    return TensorData::of({static_cast<std::int64_t>(values.size())},
                          std::span<const float>(values));
}

void add_metadata(TensorFile& file, Session& session, const TrainingData& data,
                  const Provenance& provenance) {
    file.metadata = {{"format", "drydock.policy"},
                     {"trainer_version", DRYDOCK_VERSION},
                     {"algorithm", provenance.algorithm},
                     {"preset", provenance.preset},
                     {"dataset", data.name},
                     {"dataset_sha256", data.sha256},
                     {"train_steps", std::to_string(session.step())},
                     {"seed", std::to_string(provenance.seed)}};
    if (!provenance.environment.empty()) file.metadata["environment"] = provenance.environment;
    if (provenance.score) file.metadata["score"] = fmt::format("{}", *provenance.score);
    if (data.returns) {
        file.metadata["return_min"] = fmt::format("{}", data.returns->low);
        file.metadata["return_max"] = fmt::format("{}", data.returns->high);
    }
}

void add_interface(TensorFile& file, const TrainingData& data) {
    auto& tensors = file.tensors;
    tensors["observation.mean"] = vector_of(data.normalizer.mean);
    tensors["observation.std"] = vector_of(data.normalizer.std);
    const float no_clip = std::numeric_limits<float>::infinity();
    tensors["observation.clip"] = TensorData::of({}, std::span<const float>(&no_clip, 1));
    tensors["action.scale"] = vector_of(data.actions.scale);
    tensors["action.bias"] = vector_of(data.actions.bias);
    tensors["action.low"] = vector_of(data.actions.low);
    tensors["action.high"] = vector_of(data.actions.high);
}

// Time steps that the file tells apart: also those of the longest episode, which training saw, and
// of a whole window.
std::int64_t timesteps(const algorithms::TransformerSpec& spec, const TrainingData& data) {
    const std::int64_t longest = data.sequences ? data.sequences->longest : 0;
    return std::max({spec.episode_len, spec.context_length, std::min(longest, spec.timestep_rows)});
}

}  // namespace

TensorFile make_policy_file(Session& session, const TrainingData& data,
                            const Provenance& provenance) {
    algorithms::PolicyNetwork network = session.algorithm().policy();
    network.target_returns = target_returns_of(network, data);
    if (auto& spec = network.transformer) spec->episode_len = timesteps(*spec, data);
    TensorFile file;
    add_metadata(file, session, data, provenance);
    add_interface(file, data);
    add_network(file, network, session);
    add_golden(file, network, session, data);
    file.metadata["sha256_data"] = sha256_of_data(file);
    return file;
}

}  // namespace drydock::training
