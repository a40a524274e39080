// Whether the critics can be believed: what they expect of the policy where evaluation's episodes
// start, next to the discounted return that it then gets.
//
// Offline critics are never corrected by experience. Where they overestimate actions that the data
// do not show, the policy follows them, and the first sign is that both numbers part.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "training/evaluation.h"
#include "training/run_parts.h"

namespace drydock::training {

class QMonitor {
  public:
    // Watches a run that is evaluated and whose algorithm has critics; others have no monitor:
    // nothing is predicted and there are no columns. `parts` must outlive it.
    explicit QMonitor(const RunParts& parts);

    bool active() const { return !starts_.empty(); }
    // What metrics.csv has of it: ",predicted_q,discounted_return", and a row's values.
    std::string header() const;
    std::string row() const;

    // Asks the critics as they are now: the mean over the first observations of 16 episodes of the
    // run's seed, which are the first ones of an evaluation. Once for each update is enough.
    void predict();
    // Takes the returns of an evaluation; its options must have had discount().
    void note(const Evaluation& evaluation);
    // What a run that goes on has to know, for its checkpoint: the last observed(), and of the last
    // warning() what it compares with, so that what was said is not said again.
    Tensors save() const;
    void restore(const Tensors& saved);
    // Both in training's units of reward; nothing before the first of its kind.
    std::optional<double> predicted() const { return predicted_; }
    std::optional<double> observed() const { return observed_; }
    double discount() const { return discount_; }

    // To be called after each evaluation: a sentence when they have parted since the last call, and
    // nothing while they stay apart. Apart is further than three deviations of the return between
    // episodes, and than its size; or than half its size, where they are further apart than at the
    // call before or were apart then. Critics that are only on their way, see arriving(), have not
    // parted. The advice names a setting that the algorithm has.
    std::optional<std::string> warning();

  private:
    bool arriving() const;

    const RunParts& parts_;
    double discount_ = 0.99;
    std::vector<float> starts_;  // normalised
    std::optional<double> predicted_, observed_;
    double spread_ = 0;
    std::int64_t predicted_at_ = -1;  // update
    std::optional<double> last_gap_, last_predicted_;
    bool parted_ = false;
};

}  // namespace drydock::training
