// Packs a policy file into the caller's block.

#include <cstring>
#include <new>

#include "policy/forward.h"
#include "policy/loader.h"

namespace drydock::policy {
namespace {

void load_observation(Loader& loader, drydock_policy& policy) {
    PolicyReader& reader = loader.reader();
    const PolicyTensors& t = reader.tensors();
    const std::uint32_t n = reader.architecture().observation_size;
    policy.mean = loader.values(t.mean, n);
    policy.deviation = loader.values(t.deviation, n);
    const float* const clip = loader.values(t.clip, 1, true);
    if (loader.counting() || !loader.good()) {
        return;
    }
    for (std::uint32_t i = 0; i < n; ++i) {
        if (!(policy.deviation[i] > 0.0f)) {
            return loader.refuse(
                reader.refuse_element(*t.deviation, i, DRYDOCK_BAD_VALUE,
                                      "is not above 0; write a constant feature with std 1"));
        }
    }
    policy.clip = *clip;
    if (!(policy.clip > 0.0f)) {
        loader.refuse(reader.refuse_element(*t.clip, 0, DRYDOCK_BAD_VALUE,
                                            "is not above 0; write infinity for no clipping"));
    }
}

void load_layers(Loader& loader, drydock_policy& policy) {
    const Architecture& a = loader.reader().architecture();
    const PolicyTensors& t = loader.reader().tensors();
    if (a.kind == Kind::decision_transformer) {
        return load_transformer(loader, policy);
    }
    for (std::uint32_t k = 0; k < a.layers; ++k) {
        policy.layers[k] = loader.layer(t.weights[k], t.biases[k], a.sizes[k], 0, a.sizes[k + 1],
                                        k + 1 == a.layers);
    }
}

// The middle of the bounds, or with an infinite bound what is nearest to 0.
float neutral_action(float low, float high) {
    const float infinity = __builtin_inff();
    const float middle = low > -infinity && high < infinity ? 0.5f * low + 0.5f * high : 0.0f;
    return middle < low ? low : middle > high ? high : middle;
}

// The number of a choice is nobody's to scale.
void check_choices(Loader& loader, const drydock_policy& policy) {
    PolicyReader& reader = loader.reader();
    const PolicyTensors& t = reader.tensors();
    const Architecture& a = reader.architecture();
    const struct {
        const SafetensorsTensor* tensor;
        float value, wanted;
    } checks[] = {{t.scale, policy.scale[0], 1.0f},
                  {t.bias, policy.bias[0], 0.0f},
                  {t.low, policy.low[0], 0.0f},
                  {t.high, policy.high[0], static_cast<float>(a.sizes[a.layers] - 1)}};
    for (const auto& check : checks) {
        if (check.value < check.wanted || check.value > check.wanted) {
            return loader.refuse(reader.refuse_element(
                *check.tensor, 0, DRYDOCK_BAD_VALUE,
                "does not fit the head argmax: expected scale 1, bias 0, low 0 and high the number "
                "of choices - 1"));
        }
    }
}

void load_action(Loader& loader, drydock_policy& policy) {
    PolicyReader& reader = loader.reader();
    const PolicyTensors& t = reader.tensors();
    const Architecture& a = reader.architecture();
    policy.scale = loader.values(t.scale, a.action_size);
    policy.bias = loader.values(t.bias, a.action_size);
    policy.low = loader.values(t.low, a.action_size, true);
    policy.high = loader.values(t.high, a.action_size, true);
    float* const fallback = loader.room(a.action_size);
    policy.fallback = fallback;
    if (loader.counting() || !loader.good()) {
        return;
    }
    for (std::uint32_t i = 0; i < a.action_size; ++i) {
        if (!(policy.low[i] <= policy.high[i])) {
            return loader.refuse(
                reader.refuse_element(*t.low, i, DRYDOCK_BAD_VALUE, "is above action.high"));
        }
        fallback[i] = a.argmax ? 0.0f : neutral_action(policy.low[i], policy.high[i]);
    }
    if (a.argmax) {
        check_choices(loader, policy);
    }
}

void load_golden(Loader& loader, drydock_policy& policy) {
    PolicyReader& reader = loader.reader();
    const PolicyTensors& t = reader.tensors();
    const Architecture& a = reader.architecture();
    policy.golden_rows = reader.golden_rows();
    policy.golden_observations =
        loader.values(t.golden_observations, policy.golden_rows * a.observation_size);
    policy.golden_actions = loader.values(t.golden_actions, policy.golden_rows * a.action_size);
}

// The pieces in the order of their use in a call.
void load_pieces(Loader& loader, drydock_policy& policy) {
    for (auto* load : {load_observation, load_layers, load_action, load_golden}) {
        load(loader, policy);
    }
    policy.parameters = loader.parameters();
}

std::uint64_t block_size(PolicyReader& reader) {
    drydock_policy nowhere{};
    Loader loader(reader, nullptr, sizeof(drydock_policy));
    load_pieces(loader, nowhere);
    return loader.size();
}

drydock_status load_into(PolicyReader& reader, void* memory, drydock_policy*& policy) {
    const Architecture& a = reader.architecture();
    policy = new (memory) drydock_policy{};
    policy->architecture = a;
    policy->observation_size = a.observation_size;
    policy->action_size = a.action_size;
    policy->schema_major = 1;
    policy->schema_minor = reader.schema_minor();
    const Isa isa = best_isa();
    policy->run = a.kind == Kind::best_of_n ? run_best_of_n(isa) : run_mlp(isa);
    policy->sequence = transformer_functions(isa);
    policy->kernel = name_of(isa);
    const drydock_status status = reader.check_sum();
    if (status != DRYDOCK_OK) {
        return status;
    }
    Loader loader(reader, memory, sizeof(drydock_policy));
    load_pieces(loader, *policy);
    return loader.status();
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
                          diagnosis->abi_version >= 1;
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
