// What a person sees of a run while it trains and when it ends: of `train` and `resume`.
#pragma once

#include <functional>

#include "training/seeds.h"
#include "training/trainer.h"

namespace drydock::apps {

// Prints the heading of the run that `options` describe before its first notice, and calls `work`
// with callbacks that print its progress and obey Ctrl-C: the first asks it to stop and save, the
// second kills. Gives the exit status: interrupted_status() when the run was stopped early.
int show_run(const training::TrainOptions& options,
             const std::function<training::TrainResult(const training::TrainCallbacks&)>& work);

// The same for `seeds` seeds in folders of options.out, of which options.seed is the first; status
// 1 when one of them failed.
int show_seeds(const training::TrainOptions& options, std::int64_t seeds,
               const std::function<training::SeedsResult(const training::TrainCallbacks&)>& work);

}  // namespace drydock::apps
