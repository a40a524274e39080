#include "training/trainer.h"

#include "training/run.h"

namespace drydock::training {
namespace {

// What callers may leave out.
Notice notice_of(const TrainCallbacks& callbacks) {
    return callbacks.notice ? callbacks.notice : [](const std::string&) {};
}

}  // namespace

TrainResult train(const TrainOptions& options, const TrainCallbacks& callbacks) {
    return Run(begin_run(options, notice_of(callbacks), callbacks.stop), callbacks).train();
}

TrainResult resume(const ResumeOptions& options, const TrainCallbacks& callbacks) {
    return Run(continue_run(options, notice_of(callbacks)), callbacks).train();
}

}  // namespace drydock::training
