// Online collection of a run that is fine-tuned: the engine's policy acts in the environment, and
// what it meets becomes rows behind the offline data. docs/finetune.md says what is done as whom.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "envs/environment.h"
#include "training/checkpoint.h"
#include "training/data_set.h"
#include "training/session.h"

namespace drydock::training {

class OnlineCollection {
  public:
    // The session has the offline data and, with a mixing ratio, given rows; it must outlive this.
    // The exploration's noise is stream "exploration" of `seed`, step by step; episodes begin from
    // a seed of their own, so that none is one of an evaluation.
    OnlineCollection(Session& session, std::unique_ptr<envs::Environment> environment,
                     const TrainingData& data, const algorithms::OnlineSettings& settings,
                     double action_clip, std::uint64_t seed);

    // Runs n updates, and takes a step in the environment before each that is due for one.
    void run(std::int64_t n);

    std::int64_t steps() const { return session_.rows() - offline_; }
    std::int64_t episodes() const { return episode_; }  // that have ended
    // What metrics.csv has of it: ",online_return,online_score", and a row's values, of the
    // episodes that ended since begin_row(): empty where none did, the score also where the
    // environment has no references.
    static std::string header() { return ",online_return,online_score"; }
    std::string row() const;
    void begin_row();
    // Their mean undiscounted return, in the environment's rewards, or that of the last row that
    // had one; and the score of a return.
    std::optional<double> latest_return() const;
    std::optional<double> score_of(double mean_return) const;

    // The collected rows, where the episode stands and what the next row of metrics.csv has of
    // those that ended, for a checkpoint.
    Tensors save() const;
    // Takes them back into a session that has the offline data alone. The episode that was running
    // is played again with its actions, so that the run goes on bit for bit; false where the
    // environment then shows other observations, and a new episode begins. Throws Error for
    // tensors that do not fit.
    bool restore(const Tensors& saved);

  private:
    std::optional<double> mean_return() const;
    void collect();
    void begin_episode();
    envs::StepResult advance(std::span<const float> action, std::vector<float>& next);
    void draw_batch();
    bool replay(const data::Transitions& rows, std::int64_t length);
    std::vector<float> normalized() const;

    Session& session_;
    std::unique_ptr<envs::Environment> environment_;
    data::Normalizer normalizer_;
    ActionMap actions_;
    data::RewardMap rewards_;
    algorithms::OnlineSettings settings_;
    float action_clip_;
    std::uint64_t seed_;
    std::int64_t offline_;  // rows
    std::int64_t episode_ = 0, length_ = 0;
    bool playing_ = false;
    double return_ = 0;  // of the episode so far
    struct Ended {
        double returns = 0, episodes = 0;
    } ended_;                           // since begin_row()
    std::optional<double> row_before_;  // latest_return() then
    std::vector<float> raw_;            // the environment's last observation
};

}  // namespace drydock::training
