// Packs a policy file into the caller's block.

#include <cstring>
#include <new>

#include "policy/forward.h"
#include "policy/pack.h"
#include "policy/reader.h"

namespace drydock::policy {
namespace {

// Hands out the block's memory in pieces that begin on a cache line. Without a block it only
// counts.
class Block {
  public:
    Block(void* memory, std::uint64_t used) : memory_(static_cast<unsigned char*>(memory)) {
        size_ = rounded(used);
    }

    float* take(std::uint64_t floats) {
        float* piece = memory_ == nullptr ? nullptr : reinterpret_cast<float*>(memory_ + size_);
        size_ += rounded(floats * sizeof(float));
        return piece;
    }

    std::uint64_t size() const { return size_; }

  private:
    static std::uint64_t rounded(std::uint64_t n) {
        return (n + kAlignment - 1) / kAlignment * kAlignment;
    }

    unsigned char* memory_;
    std::uint64_t size_;
};

// The pieces in their order, which is the order of their use in a call.
struct Pieces {
    float *mean, *deviation;
    float* weights[kMaxLayers];
    float* biases[kMaxLayers];
    float *scale, *bias, *low, *high, *fallback;
    float *golden_observations, *golden_actions;
};

Pieces lay_out(const Architecture& a, std::uint64_t golden_rows, Block& block) {
    const std::uint64_t observation = a.sizes[0], action = a.sizes[a.layers];
    Pieces p{};
    p.mean = block.take(observation);
    p.deviation = block.take(observation);
    for (std::uint32_t k = 0; k < a.layers; ++k) {
        const std::uint64_t outputs = padded(a.sizes[k + 1]);
        p.biases[k] = block.take(outputs);
        p.weights[k] = block.take(outputs * a.sizes[k]);
    }
    for (float** piece : {&p.scale, &p.bias, &p.low, &p.high, &p.fallback}) {
        *piece = block.take(action);
    }
    p.golden_observations = block.take(golden_rows * observation);
    p.golden_actions = block.take(golden_rows * action);
    return p;
}

std::uint64_t block_size(const PolicyReader& reader) {
    Block block(nullptr, sizeof(drydock_policy));
    lay_out(reader.architecture(), reader.golden_rows(), block);
    return block.size();
}

drydock_status copy(PolicyReader& reader, const SafetensorsTensor* tensor, bool infinite,
                    float* to) {
    return reader.read_values(*tensor, infinite, [to](std::uint64_t i, float x) { to[i] = x; });
}

drydock_status load_layers(PolicyReader& reader, const Pieces& p, drydock_policy& policy) {
    const Architecture& a = reader.architecture();
    for (std::uint32_t k = 0; k < a.layers; ++k) {
        const std::uint32_t in = a.sizes[k], out = a.sizes[k + 1];
        const auto outputs = static_cast<std::uint32_t>(padded(out));
        const bool last = k + 1 == a.layers;
        float* const bias = p.biases[k];
        float* const weights = p.weights[k];
        std::memset(bias, 0, outputs * sizeof(float));
        std::memset(weights, 0, std::size_t{outputs} * in * sizeof(float));
        drydock_status status = copy(reader, reader.tensors().biases[k], false, bias);
        if (status == DRYDOCK_OK) {
            status = reader.read_values(
                *reader.tensors().weights[k], false, [=](std::uint64_t index, float value) {
                    const auto o = static_cast<std::uint32_t>(index / in);
                    const auto i = static_cast<std::uint32_t>(index % in);
                    weights[packed_position(o, i, in, outputs, last)] = value;
                });
        }
        if (status != DRYDOCK_OK) {
            return status;
        }
        policy.layers[k] = {in, out, weights, bias};
    }
    return DRYDOCK_OK;
}

drydock_status load_observation(PolicyReader& reader, const Pieces& p, drydock_policy& policy) {
    const PolicyTensors& t = reader.tensors();
    drydock_status status = copy(reader, t.mean, false, p.mean);
    if (status == DRYDOCK_OK) {
        status = copy(reader, t.deviation, false, p.deviation);
    }
    if (status == DRYDOCK_OK) {
        status = copy(reader, t.clip, true, &policy.clip);
    }
    if (status != DRYDOCK_OK) {
        return status;
    }
    for (std::uint32_t i = 0; i < policy.observation_size; ++i) {
        if (!(p.deviation[i] > 0.0f)) {
            return reader.refuse_element(*t.deviation, i, DRYDOCK_BAD_VALUE,
                                         "is not above 0; write a constant feature with std 1");
        }
    }
    if (!(policy.clip > 0.0f)) {
        return reader.refuse_element(*t.clip, 0, DRYDOCK_BAD_VALUE,
                                     "is not above 0; write infinity for no clipping");
    }
    policy.mean = p.mean;
    policy.deviation = p.deviation;
    return DRYDOCK_OK;
}

// The middle of the bounds, or with an infinite bound what is nearest to 0.
float neutral_action(float low, float high) {
    const float infinity = __builtin_inff();
    const float middle = low > -infinity && high < infinity ? 0.5f * low + 0.5f * high : 0.0f;
    return middle < low ? low : middle > high ? high : middle;
}

drydock_status load_action(PolicyReader& reader, const Pieces& p, drydock_policy& policy) {
    const PolicyTensors& t = reader.tensors();
    const struct {
        const SafetensorsTensor* from;
        bool infinite;
        float* to;
    } copies[] = {{t.scale, false, p.scale},
                  {t.bias, false, p.bias},
                  {t.low, true, p.low},
                  {t.high, true, p.high}};
    for (const auto& each : copies) {
        const drydock_status status = copy(reader, each.from, each.infinite, each.to);
        if (status != DRYDOCK_OK) {
            return status;
        }
    }
    for (std::uint32_t i = 0; i < policy.action_size; ++i) {
        if (!(p.low[i] <= p.high[i])) {
            return reader.refuse_element(*t.low, i, DRYDOCK_BAD_VALUE, "is above action.high");
        }
        p.fallback[i] = neutral_action(p.low[i], p.high[i]);
    }
    policy.scale = p.scale;
    policy.bias = p.bias;
    policy.low = p.low;
    policy.high = p.high;
    policy.fallback = p.fallback;
    return DRYDOCK_OK;
}

drydock_status load_golden(PolicyReader& reader, const Pieces& p, drydock_policy& policy) {
    policy.golden_rows = reader.golden_rows();
    policy.golden_observations = p.golden_observations;
    policy.golden_actions = p.golden_actions;
    if (policy.golden_rows == 0) {
        return DRYDOCK_OK;
    }
    const PolicyTensors& t = reader.tensors();
    const drydock_status status = copy(reader, t.golden_observations, false, p.golden_observations);
    return status == DRYDOCK_OK ? copy(reader, t.golden_actions, false, p.golden_actions) : status;
}

drydock_status load_into(PolicyReader& reader, void* memory, drydock_policy*& policy) {
    const Architecture& a = reader.architecture();
    policy = new (memory) drydock_policy{};
    policy->architecture = a;
    policy->observation_size = a.sizes[0];
    policy->action_size = a.sizes[a.layers];
    policy->schema_major = 1;
    policy->schema_minor = reader.schema_minor();
    const Runner runner = best_runner();
    policy->run = runner.run;
    policy->kernel = runner.name;

    Block block(memory, sizeof(drydock_policy));
    const Pieces pieces = lay_out(a, reader.golden_rows(), block);
    drydock_status status = reader.check_sum();
    for (auto* load : {load_observation, load_layers, load_action, load_golden}) {
        if (status == DRYDOCK_OK) {
            status = load(reader, pieces, *policy);
        }
    }
    return status;
}

drydock_status load_checked(std::span<const unsigned char> file, void* block,
                            std::size_t block_bytes, drydock_policy*& policy, Message& message,
                            std::uint64_t& offset) {
    PolicyReader reader(file, message);
    const drydock_status status = reader.read_header();
    offset = reader.problem_offset();
    if (status != DRYDOCK_OK) {
        return status;
    }
    if (reinterpret_cast<std::uintptr_t>(block) % kAlignment != 0) {
        message << "expected a block aligned to " << std::uint64_t{kAlignment} << " bytes";
        return DRYDOCK_MISALIGNED;
    }
    if (block_bytes < block_size(reader)) {
        message << "expected a block of at least " << block_size(reader) << " bytes, got "
                << std::uint64_t{block_bytes};
        return DRYDOCK_BLOCK_TOO_SMALL;
    }
    return load_into(reader, block, policy);
}

}  // namespace
}  // namespace drydock::policy

using drydock::policy::Message;

drydock_status drydock_policy_size(const void* bytes, size_t n, size_t* size,
                                   size_t* alignment) noexcept {
    if (bytes == nullptr || size == nullptr || alignment == nullptr) {
        return DRYDOCK_BAD_CALL;
    }
    char text[8];
    Message message(text);
    drydock::policy::PolicyReader reader({static_cast<const unsigned char*>(bytes), n}, message);
    const drydock_status status = reader.read_header();
    if (status != DRYDOCK_OK) {
        return status;
    }
    const std::uint64_t needed = drydock::policy::block_size(reader);
    if (needed > SIZE_MAX) {
        return DRYDOCK_BAD_ARCHITECTURE;
    }
    *size = static_cast<size_t>(needed);
    *alignment = drydock::policy::kAlignment;
    return DRYDOCK_OK;
}

drydock_status drydock_policy_load(const void* bytes, size_t n, void* block, size_t block_size,
                                   const drydock_policy** policy,
                                   drydock_diagnosis* diagnosis) noexcept {
    const bool can_tell = diagnosis != nullptr &&
                          diagnosis->struct_size >= sizeof(drydock_diagnosis) &&
                          diagnosis->abi_version >= DRYDOCK_POLICY_ABI;
    if (policy != nullptr) {
        *policy = nullptr;
    }
    if (bytes == nullptr || policy == nullptr || (diagnosis != nullptr && !can_tell)) {
        if (can_tell) {
            diagnosis->status = DRYDOCK_BAD_CALL;
            diagnosis->byte_offset = 0;
            Message(diagnosis->text)
                << (bytes == nullptr
                        ? "expected the bytes of a policy file, got a null pointer; is it empty?"
                        : "expected a place for the policy, got a null pointer");
        }
        return DRYDOCK_BAD_CALL;
    }
    char text[sizeof drydock_diagnosis{}.text];
    Message message(text);
    drydock_policy* loaded = nullptr;
    block_size = block == nullptr ? 0 : block_size;
    std::uint64_t offset = 0;
    const drydock_status status = drydock::policy::load_checked(
        {static_cast<const unsigned char*>(bytes), n}, block, block_size, loaded, message, offset);
    if (diagnosis != nullptr) {
        diagnosis->status = status;
        diagnosis->byte_offset = offset;
        std::memcpy(diagnosis->text, text, sizeof text);
    }
    if (status == DRYDOCK_OK) {
        *policy = loaded;
    }
    return status;
}
