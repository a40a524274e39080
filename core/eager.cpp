#include "core/eager.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/arena.h"

namespace drydock {

void EagerRunner::define(const Program& program, ValueId id) {
    const Value& v = program.value(id);
    const std::size_t size = size_of(v.dtype);
    std::byte* address = nullptr;
    if (v.storage == Storage::planned) {
        const std::size_t bytes = static_cast<std::size_t>(v.shape.size()) * size;
        const std::size_t rounded = (bytes / kAlignment + 1) * kAlignment;
        address = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
        std::memset(address, 0xff, rounded);  // NaN: a read before the write shows
        blocks_.emplace_back(address, std::free);
    } else {
        std::byte* start = v.storage == Storage::persistent
                               ? static_cast<std::byte*>(state_.buffer(v.buffer).data)
                               : addresses_[static_cast<std::size_t>(v.base)];
        address = start + static_cast<std::size_t>(v.offset) * size;
    }
    addresses_.resize(static_cast<std::size_t>(id) + 1, nullptr);
    addresses_[static_cast<std::size_t>(id)] = address;
}

void EagerRunner::execute(const Program& program) {
    CallStore calls;
    std::vector<Step> steps;
    lower_on_cpu(program, static_cast<NodeId>(program.nodes.size()) - 1, addresses_, calls, steps);
    for (const Step& step : steps) {
        for (std::int64_t unit = 0; unit < step.units; ++unit) step.run(step.call, unit, unit + 1);
    }
}

std::vector<double> EagerRunner::read(const Program& program, ValueId id) const {
    return read_elements(program.value(id), addresses_[static_cast<std::size_t>(id)]);
}

std::vector<double> read_elements(const Value& value, const std::byte* data) {
    std::vector<double> out;
    std::array<std::int64_t, kMaxRank> index{};
    for (std::int64_t n = 0; n < value.shape.size(); ++n) {
        std::int64_t offset = 0;
        for (int i = 0; i < value.shape.rank(); ++i) {
            offset +=
                index[static_cast<std::size_t>(i)] * value.strides[static_cast<std::size_t>(i)];
        }
        switch (value.dtype) {
            case DType::f32:
                out.push_back(reinterpret_cast<const float*>(data)[offset]);
                break;
            case DType::f64:
                out.push_back(reinterpret_cast<const double*>(data)[offset]);
                break;
            default:
                out.push_back(
                    static_cast<double>(reinterpret_cast<const std::int64_t*>(data)[offset]));
        }
        for (int i = value.shape.rank() - 1; i >= 0; --i) {
            if (++index[static_cast<std::size_t>(i)] < value.shape[i]) break;
            index[static_cast<std::size_t>(i)] = 0;
        }
    }
    return out;
}

}  // namespace drydock
