// What a person sees of a run while it trains and when it ends: of `train` and `resume`.
#pragma once

#include <functional>

#include "training/trainer.h"

namespace drydock::apps {

// Calls `work` with callbacks that print the progress of the run that `options` describe and obey
// Ctrl-C: the first asks it to stop and save, the second kills. `print_top` prints the heading,
// before the first notice. Gives the exit status: 1 when the run was stopped early.
int show_run(const training::TrainOptions& options, const std::function<void()>& print_top,
             const std::function<training::TrainResult(const training::TrainCallbacks&)>& work);

}  // namespace drydock::apps
