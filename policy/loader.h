// Packs a policy file's tensors into the caller's block, or counts what they need: the same calls
// do both, so that the size query and the load cannot differ.
#pragma once

#include "policy/reader.h"

namespace drydock::policy {

class Loader {
  public:
    // Without memory it only counts. The first `used` bytes of the memory are taken.
    Loader(PolicyReader& reader, void* memory, std::uint64_t used)
        : reader_(reader), memory_(static_cast<unsigned char*>(memory)), size_(rounded(used)) {}

    // Room for as many floats, from a cache line on; null when it only counts.
    float* room(std::uint64_t floats);
    // A tensor's values as they are. Infinities are refused unless `infinite`.
    const float* values(const SafetensorsTensor* tensor, std::uint64_t count,
                        bool infinite = false);
    // Rows [first, first + out) of a weight of `in` columns and of its bias, packed.
    Layer layer(const SafetensorsTensor* weight, const SafetensorsTensor* bias, std::uint32_t in,
                std::uint32_t first, std::uint32_t out, bool last = false);

    bool counting() const { return memory_ == nullptr; }
    bool good() const { return status_ == DRYDOCK_OK; }
    drydock_status status() const { return status_; }
    void refuse(drydock_status status) { status_ = status; }
    PolicyReader& reader() { return reader_; }
    std::uint64_t size() const { return size_; }              // bytes
    std::uint64_t parameters() const { return parameters_; }  // weights and biases so far
    void count_parameters(std::uint64_t n) { parameters_ += n; }

  private:
    static std::uint64_t rounded(std::uint64_t n) {
        return (n + kAlignment - 1) / kAlignment * kAlignment;
    }

    PolicyReader& reader_;
    unsigned char* memory_;
    std::uint64_t size_;
    std::uint64_t parameters_ = 0;
    drydock_status status_ = DRYDOCK_OK;
};

// policy/load_transformer.cpp
void load_transformer(Loader& loader, drydock_policy& policy);

}  // namespace drydock::policy
