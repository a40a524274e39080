// Stands in for envs/mujoco.cpp in a build without libmujoco.
#include <fmt/format.h>

#include "base/error.h"
#include "envs/mujoco.h"

namespace drydock::envs {

std::unique_ptr<MujocoEnvironment> make_mujoco(const MujocoTask& task) {
    throw Error(mujoco_obstacle(task));
}

std::string mujoco_obstacle(const MujocoTask& task) {
    return fmt::format(
        "[{}] expected a build with MuJoCo, and this one has none; run scripts/setup or install "
        "libmujoco-dev, then build again",
        task.name);
}

}  // namespace drydock::envs
