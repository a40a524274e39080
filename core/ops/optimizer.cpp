// Optimizer steps and target updates: the nodes that write parameters.
#include "kernels/api/optimizer.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/ops/ops.h"

namespace drydock {

// adam_step's inputs: gradient, parameters, moments, hyper, and after fusion a Polyak target.
void Graph::step(ParameterGroup& group) {
    if (!group.trainable()) {
        throw Error(fmt::format("[step] group '{}' is not trainable", group.name()));
    }
    group.note_step_recorded();
    const Label label(*this, group.name());
    const Tensor gradients = buffer(group.gradients());
    if (group.optimizer().gradient_clip > 0.0) {
        const Tensor partials = append_one(
            {Op::squared_norm, {gradients}, {{kernels::norm_blocks(group.size())}}, {}, real()});
        Attributes clip;
        clip.p = group.optimizer().gradient_clip;
        append({Op::clip_by_norm, {partials, gradients}, {}, clip, real()});
    }
    const Tensor hyper = buffer(group.hyper());
    append({Op::optimizer_tick, {hyper}, {}});
    append({Op::adam_step,
            {gradients, buffer(group.parameters()), buffer(group.first_moments()),
             buffer(group.second_moments()), hyper},
            {},
            {},
            real()});
}

void Graph::polyak(ParameterGroup& source, ParameterGroup& target, double polyak) {
    target.check_same_layout(source);
    const Label label(*this, target.name());
    Attributes attributes;
    attributes.p = polyak;
    append({Op::polyak,
            {buffer(source.parameters()), buffer(target.parameters())},
            {},
            attributes,
            real()});
}

}  // namespace drydock
