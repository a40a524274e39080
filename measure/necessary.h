// The arithmetic that an update cannot do without, by algorithm, from the sizes of its networks.
// Shares of peak are of this count and no other: what a program computes twice, or could have left
// out, is not work.
//
// Counted are the multiply-adds of products, two FLOP each; for rows that pass through a layer of I
// inputs and O outputs those are I O per row, once forward, once for the weights' gradient and once
// for the inputs' gradient, where something below is trained. Biases, activations, losses and
// optimizers are left out: they are a few parts in a thousand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"

namespace drydock::measure {

// A part of an update: "critics, forward", FLOP.
struct Term {
    std::string what;
    double flop;
};

// Of one update, averaged over the schedule where updates differ; first updates that imitate
// (bc_steps) are not part of the average.
using Work = std::vector<Term>;

double total_flop(const Work& work);

// `recipe` is fitted to the sizes. Throws Error for an algorithm that is not counted here.
Work necessary_work(algorithms::Recipe& recipe, std::int64_t observation_size,
                    std::int64_t action_size);

}  // namespace drydock::measure
