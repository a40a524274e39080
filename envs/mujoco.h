// hopper, halfcheetah and walker2d on libmujoco, by the rules of envs/mujoco_rules.h. An optional
// part: a build without libmujoco has the same functions, and making an environment says what to
// install. Model files are read from the folder in the environment variable DRYDOCK_MUJOCO_MODELS,
// else from where scripts/setup puts them.
//
// What libmujoco would do on its own and here does not: end the process at an error (it becomes a
// drydock::Error), print, and write MUJOCO_LOG.TXT. A program's own handlers stay in place.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "envs/environment.h"
#include "envs/mujoco_rules.h"

namespace drydock::envs {

struct MujocoState {
    std::vector<double> qpos, qvel;
};

// Beyond what Environment promises: an episode is a pure function of (seed, episode, actions);
// nothing of the episode before stays, the solver's warm start included.
//
// A step that reaches the limit of 1000 is a timeout unless it is terminal: where a task ended,
// nothing was cut (as in gym up to 0.25, which D4RL's scores were taken with; gymnasium sets both).
//
// Where MuJoCo gives a simulation up (a number beyond 1e10 or not finite, upon which it would go on
// from the model's resting state without telling), hopper and walker2d end the episode: the step is
// terminal, and its reward and observation are those of the last sound state, so that all numbers
// stay finite. halfcheetah has no terminal states: its step throws drydock::Error.
class MujocoEnvironment : public Environment {
  public:
    virtual const MujocoTask& task() const = 0;

    // The running episode goes on in this state, as if `steps_taken` steps had led to it; needs no
    // reset before. Throws drydock::Error for wrong sizes, numbers that are not finite or beyond
    // 1e10, and steps_taken outside [0, 1000).
    virtual void set_state(std::span<const double> qpos, std::span<const double> qvel,
                           std::int64_t steps_taken = 0) = 0;

    // The state after the last step, reset or set_state.
    virtual MujocoState state() const = 0;
};

// A model file of the right sizes that is not the one which scripts/setup fetches is taken; the
// info's score_note then says that scores are not comparable.
//
// Throws drydock::Error where libmujoco or the model file is missing, saying what to run. Safe to
// call from several threads; environments of one task share one const model.
std::unique_ptr<MujocoEnvironment> make_mujoco(const MujocoTask& task);

// Why make_mujoco would throw, or "" where it would not.
std::string mujoco_obstacle(const MujocoTask& task);

}  // namespace drydock::envs
