#include "policy/reader.h"
#include "policy/sequence_tensors.h"

namespace drydock::policy {

drydock_status PolicyReader::find_sequence() {
    std::size_t at = 0;
    drydock_status status = sequence_tensors(
        architecture_, [&](std::string_view name, std::span<const std::uint64_t> shape) {
            return find(name, shape, tensors_.sequence[at++]);
        });
    const struct {
        const char* name;
        const SafetensorsTensor** tensor;
    } scalars[] = {{"norm.epsilon", &tensors_.epsilon},
                   {"return.scale", &tensors_.return_scale},
                   {"return.target", &tensors_.return_target}};
    for (const auto& scalar : scalars) {
        if (status == DRYDOCK_OK) {
            status = find(scalar.name, {}, *scalar.tensor);
        }
    }
    return status == DRYDOCK_OK ? count_tensors("blocks.", 12 * std::uint64_t{architecture_.blocks})
                                : status;
}

}  // namespace drydock::policy
