// Random inputs: pure functions of (seed, stream, step, element), or rows of a recorded table.
#include "kernels/api/random.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/philox.h"
#include "core/ops/ops.h"

namespace drydock {

using kernels::Distribution;

Tensor Graph::random(const std::string& name, const Shape& shape, DType dtype,
                     Attributes attributes) {
    const Label label(*this, name);
    const BufferId injected = state_.injected(name);
    if (injected >= 0) {
        const Tensor row = select_row(buffer(injected));
        if (!(row.shape() == shape) || row.dtype() != dtype) {
            throw Error(
                fmt::format("[random] expected draws of stream '{}' of shape {} {} per step, "
                            "got {} {}",
                            name, name_of(dtype), to_string(shape), name_of(row.dtype()),
                            to_string(row.shape())));
        }
        return row;
    }
    attributes.stream = stream_id(name.c_str());
    return append_one({Op::random, {buffer(state_.counters_buffer())}, {shape}, attributes, dtype});
}

Tensor Graph::random_uniform(const std::string& name, const Shape& shape, double low, double high) {
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(Distribution::uniform);
    attributes.p = low;
    attributes.q = high;
    return random(name, shape, real(), attributes);
}

Tensor Graph::random_normal(const std::string& name, const Shape& shape) {
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(Distribution::normal);
    return random(name, shape, real(), attributes);
}

Tensor Graph::random_rows(const std::string& name, std::int64_t n) {
    Attributes attributes;
    attributes.kind = static_cast<std::uint8_t>(Distribution::row_index);
    return random(name, {n}, DType::i64, attributes);
}

}  // namespace drydock
