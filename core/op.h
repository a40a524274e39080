// The operations of a program and one table of what is known about each.
#pragma once

#include <cstdint>

namespace drydock {

enum class Op : std::uint8_t {
    // Views: no kernel, the output shows the input's memory.
    detach,
    reshape,
    slice,
    broadcast,
    // Elementwise.
    unary,
    binary,
    where,
    fill,
    // Shape and index.
    pad,
    concat,
    gather_rows,
    scatter_add_rows,
    select_row,
    window_rows,
    // Reductions and products.
    reduce,
    matmul,
    linear,
    linear_input_gradient,
    linear_weight_gradient,
    pack_weights,
    // Sequences.
    layer_norm,
    layer_norm_input_gradient,
    layer_norm_weight_gradient,
    causal_attention,
    causal_attention_gradient,
    // Losses.
    expectile_loss,
    mse_loss,
    gaussian_log_prob,
    gaussian_log_prob_gradient,
    // Randomness.
    random,
    // Nodes that write persistent memory.
    store,
    squared_norm,
    clip_by_norm,
    optimizer_tick,
    adam_step,
    polyak,
    store_metric,
    tick,
    count_
};

class AdjointCall;

struct OpInfo {
    Op op;
    const char* name;
    // Appends the nodes that turn cotangents of the outputs into cotangents of the inputs; null
    // where the op has no derivative.
    void (*adjoint)(AdjointCall&);
    // Bit i: the output may take the memory of input i when that is its last use.
    unsigned in_place;
    // Bit i: input i is persistent memory that the node overwrites.
    unsigned writes;
    // Bit i: input i need not be of the state's real type (indices, counters, the hyper block).
    unsigned other_dtypes;
};

const OpInfo& info(Op op);

}  // namespace drydock
