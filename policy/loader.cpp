#include "policy/loader.h"

#include "policy/pack.h"

namespace drydock::policy {

float* Loader::room(std::uint64_t floats) {
    float* const piece = counting() ? nullptr : reinterpret_cast<float*>(memory_ + size_);
    size_ += rounded(floats * sizeof(float));
    return piece;
}

const float* Loader::values(const SafetensorsTensor* tensor, std::uint64_t count, bool infinite) {
    float* const to = room(count);
    if (!counting() && good() && count > 0) {
        status_ =
            reader_.read_values(*tensor, infinite, [to](std::uint64_t i, float x) { to[i] = x; });
    }
    return to;
}

Layer Loader::layer(const SafetensorsTensor* weight, const SafetensorsTensor* bias,
                    std::uint32_t in, std::uint32_t first, std::uint32_t out, bool last) {
    const auto outputs = static_cast<std::uint32_t>(padded(out));
    float* const biases = room(outputs);
    float* const weights = room(std::uint64_t{outputs} * in);
    parameters_ += (std::uint64_t{in} + 1) * out;
    if (counting() || !good()) {
        return {};
    }
    std::memset(biases, 0, outputs * sizeof(float));
    std::memset(weights, 0, std::size_t{outputs} * in * sizeof(float));
    status_ = reader_.read_values(*bias, false, [=](std::uint64_t index, float value) {
        if (index >= first && index < std::uint64_t{first} + out) {
            biases[index - first] = value;
        }
    });
    if (good()) {
        status_ = reader_.read_values(*weight, false, [=](std::uint64_t index, float value) {
            const std::uint64_t row = index / in;
            if (row >= first && row < std::uint64_t{first} + out) {
                const auto o = static_cast<std::uint32_t>(row - first);
                weights[packed_position(o, static_cast<std::uint32_t>(index % in), in, outputs,
                                        last)] = value;
            }
        });
    }
    return {in, out, weights, biases};
}

}  // namespace drydock::policy
