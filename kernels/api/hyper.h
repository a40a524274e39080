// The hyper block: everything that changes between two replays of a recorded update lives in these
// structs, in device memory, and is advanced by tick kernels. The host may overwrite fields between
// replays.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

struct Counters {
    std::int64_t step;          // updates completed; the index of the running update
    std::uint64_t seed;         // of every random stream
    std::int64_t dataset_size;  // rows that batches are drawn from
};

// counters->step += 1
struct Tick {
    Counters* counters;
};

enum class Schedule : std::int64_t { constant, cosine, warmup };

// One per optimizer group. Adam's formulas: Kingma and Ba 2015, algorithm 1.
struct OptimizerHyper {
    // Set by the host.
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    Schedule schedule;
    double horizon;  // cosine: max_steps; warmup: warmup_steps
    // Advanced by OptimizerTick.
    std::int64_t t;                   // steps taken
    double beta1_power, beta2_power;  // beta^t
    // Of the step in progress.
    double rate;            // learning rate after the schedule
    double step_size;       // rate / (1 - beta1^t)
    double inv_sqrt_bias2;  // 1 / sqrt(1 - beta2^t)
};

// With k = t (before): constant: rate = learning_rate; cosine: rate = learning_rate / 2 (1 + cos(pi
// k / horizon)), for every k, as PyTorch's CosineAnnealingLR; warmup: learning_rate min((k + 1) /
// horizon, 1). Then t += 1, beta powers are multiplied on, and step_size and inv_sqrt_bias2 follow.
struct OptimizerTick {
    OptimizerHyper* hyper;
};

// ring[counters->step % rows][column] = value: metrics of the last `rows` updates.
struct StoreMetric {
    DType dtype;
    const void* value;  // one element
    const Counters* counters;
    std::int64_t rows, columns, column;
    void* ring;  // (rows, columns)
};

}  // namespace drydock::kernels
