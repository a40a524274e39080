#include <iterator>

#include "core/op.h"
#include "core/ops/adjoints.h"

namespace drydock {
namespace {

constexpr unsigned bit(int i) { return 1U << i; }

// op, name, adjoint, inputs whose memory the output may take, inputs that are overwritten, inputs
// of another type than the state's
constexpr OpInfo kOps[] = {
    {Op::detach, "detach", detach_adjoint, 0, 0, bit(0)},
    {Op::reshape, "reshape", reshape_adjoint, 0, 0, bit(0)},
    {Op::slice, "slice", slice_adjoint, 0, 0, bit(0)},
    {Op::broadcast, "broadcast", broadcast_adjoint, 0, 0, bit(0)},
    {Op::unary, "unary", unary_adjoint, bit(0), 0, 0},
    {Op::binary, "binary", binary_adjoint, bit(0) | bit(1), 0, 0},
    {Op::where, "where", where_adjoint, bit(0) | bit(1) | bit(2), 0, 0},
    {Op::fill, "fill", nullptr, 0, 0, 0},
    {Op::pad, "pad", pad_adjoint, 0, 0, 0},
    {Op::concat, "concat", concat_adjoint, 0, 0, 0},
    {Op::gather_rows, "gather_rows", gather_rows_adjoint, 0, 0, bit(0) | bit(1)},
    {Op::scatter_add_rows, "scatter_add_rows", nullptr, 0, 0, bit(1)},
    {Op::select_row, "select_row", nullptr, 0, 0, bit(0) | bit(1)},
    {Op::window_rows, "window_rows", nullptr, 0, 0, bit(0) | bit(1)},
    {Op::reduce, "reduce", reduce_adjoint, 0, 0, 0},
    {Op::matmul, "matmul", matmul_adjoint, 0, 0, 0},
    {Op::linear, "linear", linear_adjoint, 0, 0, 0},
    {Op::linear_input_gradient, "linear_input_gradient", nullptr, 0, 0, 0},
    {Op::linear_weight_gradient, "linear_weight_gradient", nullptr, 0, 0, 0},
    {Op::pack_weights, "pack_weights", nullptr, 0, 0, 0},
    {Op::layer_norm, "layer_norm", layer_norm_adjoint, 0, 0, 0},
    {Op::layer_norm_input_gradient, "layer_norm_input_gradient", nullptr, bit(0), 0, 0},
    {Op::layer_norm_weight_gradient, "layer_norm_weight_gradient", nullptr, 0, 0, 0},
    {Op::causal_attention, "causal_attention", causal_attention_adjoint, 0, 0, 0},
    {Op::causal_attention_gradient, "causal_attention_gradient", nullptr, 0, 0, 0},
    {Op::expectile_loss, "expectile_loss", expectile_loss_adjoint, 0, 0, 0},
    {Op::mse_loss, "mse_loss", mse_loss_adjoint, 0, 0, 0},
    {Op::gaussian_log_prob, "gaussian_log_prob", gaussian_log_prob_adjoint, 0, 0, 0},
    {Op::gaussian_log_prob_gradient, "gaussian_log_prob_gradient", nullptr, 0, 0, 0},
    {Op::random, "random", nullptr, 0, 0, bit(0)},
    {Op::store, "store", nullptr, 0, bit(1), bit(0) | bit(1)},
    {Op::squared_norm, "squared_norm", nullptr, 0, 0, 0},
    {Op::clip_by_norm, "clip_by_norm", nullptr, 0, bit(1), 0},
    {Op::optimizer_tick, "optimizer_tick", nullptr, 0, bit(0), bit(0)},
    {Op::adam_step, "adam_step", nullptr, 0, bit(1) | bit(2) | bit(3) | bit(5), bit(4)},
    {Op::polyak, "polyak", nullptr, 0, bit(1), 0},
    {Op::store_metric, "store_metric", nullptr, 0, bit(2), bit(1)},
    {Op::tick, "tick", nullptr, 0, bit(0), bit(0)},
};
static_assert(std::size(kOps) == static_cast<std::size_t>(Op::count_), "one row for every op");

constexpr bool in_order() {
    for (std::size_t i = 0; i < std::size(kOps); ++i) {
        if (kOps[i].op != static_cast<Op>(i)) return false;
    }
    return true;
}
static_assert(in_order(), "rows stand in the order of the enum");

}  // namespace

const OpInfo& info(Op op) { return kOps[static_cast<std::size_t>(op)]; }

}  // namespace drydock
