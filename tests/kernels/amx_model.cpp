// The kernels for tiles, compiled against the model of AMX.
#define DRYDOCK_AMX_MODEL
#include "kernels/cpu/bf16/layer.h"
#include "kernels/cpu/bf16/tiles.h"
#include "kernels/cpu/table.h"

namespace drydock::kernels::testing {

void take_amx_model_kernels(CpuTable& table) {
    using Layer = PairLayer<TileBlock>;
    table.linear_forward_bf16 = Layer::forward();
    table.linear_input_gradient_bf16 = Layer::input_gradient();
    table.linear_weight_gradient_bf16 = Layer::weight_gradient();
}

}  // namespace drydock::kernels::testing
