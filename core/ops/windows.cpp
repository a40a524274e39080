// Windows of episodes, as row numbers for gather_rows.
#include "kernels/api/windows.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/ops/ops.h"

namespace drydock {

Windows window_rows(Tensor starts, Tensor offsets, const WindowShape& shape) {
    const bool indices = starts.dtype() == DType::i64 && offsets.dtype() == DType::i64;
    if (!indices || starts.shape().rank() != 1 || offsets.shape().rank() != 1 ||
        offsets.size() < 2 || shape.length < 1 || shape.last_timestep < 0) {
        throw Error(fmt::format(
            "[window_rows] expected i64 starts (B), i64 offsets (E + 1) of an episode or more and "
            "a length above 0, got {} {}, {} {} and {}",
            name_of(starts.dtype()), to_string(starts.shape()), name_of(offsets.dtype()),
            to_string(offsets.shape()), shape.length));
    }
    Attributes attributes;
    attributes.flag = shape.left;
    attributes.n = shape.last_timestep;
    const Shape out{starts.shape()[0], shape.length};
    const auto made = starts.graph().append({Op::window_rows,
                                             {contiguous(starts), contiguous(offsets)},
                                             {out, out},
                                             attributes,
                                             DType::i64});
    return {made[0], made[1]};
}

}  // namespace drydock
