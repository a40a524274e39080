// Products of Precision::bf16 with tdpbf16ps.
#include "kernels/cpu/bf16/layer.h"
#include "kernels/cpu/bf16/take.h"
#include "kernels/cpu/bf16/tiles.h"
#include "kernels/cpu/table.h"

namespace drydock::kernels {

void take_amx_kernels(CpuTable& table) {
    using Layer = PairLayer<TileBlock>;
    table.linear_forward_bf16 = Layer::forward();
    table.linear_input_gradient_bf16 = Layer::input_gradient();
    table.linear_weight_gradient_bf16 = Layer::weight_gradient();
}

}  // namespace drydock::kernels
