// libmujoco behind a wall: one model, one mjData, and none of the library's manners. Internal to
// envs/.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "envs/mujoco_rules.h"

namespace drydock::envs {

// Used by one thread at a time. Loading a model excludes every other call into libmujoco made from
// here: its compiler swaps the process-wide handlers of errors and warnings while it runs.
class MujocoSimulation {
  public:
    // Loads the model file, or shares the model that another simulation loaded from it. Throws
    // drydock::Error where the file cannot be read, is no model, or is one of another shape.
    explicit MujocoSimulation(const MujocoTask& task);
    ~MujocoSimulation();

    // Forgets everything and goes to this state: finite, within 1e10 (MuJoCo's own limit), of the
    // model's sizes.
    void set_state(std::span<const double> qpos, std::span<const double> qvel);

    // Holds `controls` for the task's frame skip. False where MuJoCo gave up: the state is then the
    // last sound one, and only set_state may follow. So it is after a throw.
    bool advance(std::span<const double> controls);

    const std::string& model_path() const;
    const std::string& model_sha256() const;  // of the file when it was loaded
    static std::string library_version();

    std::span<const double> qpos() const;
    std::span<const double> qvel() const;
    std::span<const double> resting_qpos() const;  // the model's; resting velocities are 0

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

// Whether MuJoCo takes this number as part of a state.
bool mujoco_sound(double number);

}  // namespace drydock::envs
