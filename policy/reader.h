// Understands a policy file: finds its tensors, checks everything that the header can tell, and
// hands out values. Nothing is copied yet; policy/load.cpp packs.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "base/safetensors.h"
#include "policy/message.h"
#include "policy/model.h"

namespace drydock::policy {

constexpr std::size_t kMaxTensors = 128;
constexpr std::size_t kMaxMetadata = 64;
constexpr std::size_t kMaxSequenceTensors = 13 + 12 * kMaxBlocks;

struct PolicyTensors {
    const SafetensorsTensor *mean, *deviation, *clip;
    const SafetensorsTensor *scale, *bias, *low, *high;
    const SafetensorsTensor* weights[kMaxLayers];
    const SafetensorsTensor* biases[kMaxLayers];
    const SafetensorsTensor* sequence[kMaxSequenceTensors];  // in the order of sequence_tensors()
    const SafetensorsTensor *epsilon, *return_scale, *return_target;
    // Null without a self-test; the rewards are a transformer's.
    const SafetensorsTensor *golden_observations, *golden_actions, *golden_rewards;
};

class PolicyReader {
  public:
    // The reader writes the reason of a refusal to `message` and points into `file`.
    PolicyReader(std::span<const unsigned char> file, Message& message)
        : bytes_(file), message_(message) {}
    PolicyReader(const PolicyReader&) = delete;
    PolicyReader& operator=(const PolicyReader&) = delete;

    // Reads the header; what is below is valid when it answers DRYDOCK_OK.
    drydock_status read_header();

    // Compares the data with sha256_data, if the file has that.
    drydock_status check_sum();

    // Writes the tensor's values, subnormal ones as zero, by put(index, value). A value that is not
    // finite is refused, except for infinities with `infinite`.
    template <class Put>
    drydock_status read_values(const SafetensorsTensor& tensor, bool infinite, Put put) {
        const unsigned char* from = file_.data_of(tensor);
        const std::uint64_t count = (tensor.end - tensor.begin) / sizeof(float);
        for (std::uint64_t i = 0; i < count; ++i) {
            float value;
            std::memcpy(&value, from + i * sizeof value, sizeof value);
            const auto size = __builtin_bit_cast(std::uint32_t, value) & 0x7fffffffu;
            if (size > 0x7f800000u || (size == 0x7f800000u && !infinite)) {
                return refuse_value(tensor, i);
            }
            put(i, size < 0x00800000u ? 0.0f : value);
        }
        return DRYDOCK_OK;
    }

    // "observation.std[3]" and so on, followed by `text`, becomes the reason.
    drydock_status refuse_element(const SafetensorsTensor& tensor, std::uint64_t index,
                                  drydock_status status, std::string_view text);

    const Architecture& architecture() const { return architecture_; }
    const PolicyTensors& tensors() const { return tensors_; }
    std::uint32_t schema_minor() const { return schema_minor_; }
    std::uint64_t golden_rows() const { return golden_rows_; }
    std::uint64_t problem_offset() const { return file_.problem_offset; }

  private:
    drydock_status check_metadata();
    drydock_status check_schema();
    drydock_status read_architecture();
    drydock_status find_tensors();
    drydock_status find_layers();
    drydock_status find_sequence();  // policy/reader_sequence.cpp
    drydock_status count_tensors(std::string_view beginning, std::uint64_t wanted);
    drydock_status find_golden();
    drydock_status find(std::string_view name, std::span<const std::uint64_t> shape,
                        const SafetensorsTensor*& tensor);
    drydock_status refuse_value(const SafetensorsTensor& tensor, std::uint64_t index);
    void say_name(const SafetensorsTensor& tensor);

    std::span<const unsigned char> bytes_;
    Message& message_;
    SafetensorsFile file_{};
    SafetensorsTensor tensor_room_[kMaxTensors];
    SafetensorsMetadata metadata_room_[kMaxMetadata];
    Kind kind_ = Kind::mlp;
    Architecture architecture_{};
    PolicyTensors tensors_{};
    std::uint32_t schema_minor_ = 0;
    std::uint64_t golden_rows_ = 0;
};

}  // namespace drydock::policy
