#include "envs/mujoco_rules.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/philox.h"

namespace drydock::envs {
namespace {

constexpr std::int64_t kMaxSteps = 1000;
constexpr double kNone = std::numeric_limits<double>::infinity();
// First element of the velocities' reset noise. A normal takes both halves of a block, of which a
// uniform takes one: no position's draw may share a velocity's block.
constexpr std::uint64_t kVelocityElement = 32;

constexpr MujocoTask kHalfcheetah = {
    .name = "halfcheetah",
    .model_file = "half_cheetah.xml",
    .model_sha256 = "11797a5d69e8ac955e89ca6fdd3a0087f1c990094fda401ac51420de1b6c5494",
    .positions = 9,
    .velocities = 9,
    .actions = 6,
    .frame_skip = 5,
    .model_seconds = 0.01,
    .alive_reward = 0,
    .control_cost = 0.1,
    .velocity_clip = kNone,
    .terminates = false,
    .height_low = -kNone,
    .height_high = kNone,
    .angle_limit = kNone,
    .state_limit = kNone,
    .reset_noise = 0.1,
    .normal_reset_velocities = true,
    .reference_min = -280.178953,
    .reference_max = 12135.0,
    .random_return = -285.43,
};

constexpr MujocoTask kHopper = {
    .name = "hopper",
    .model_file = "hopper.xml",
    .model_sha256 = "3ce93a055ffdcd83c0c701d2400768e40d2cbb9532f3c4ae33377c27f8b39f9e",
    .positions = 6,
    .velocities = 6,
    .actions = 3,
    .frame_skip = 4,
    .model_seconds = 0.002,
    .alive_reward = 1,
    .control_cost = 1e-3,
    .velocity_clip = 10,
    .terminates = true,
    .height_low = 0.7,
    .height_high = kNone,
    .angle_limit = 0.2,
    .state_limit = 100,
    .reset_noise = 5e-3,
    .normal_reset_velocities = false,
    .reference_min = -20.272305,
    .reference_max = 3234.3,
    .random_return = 18.48,
};

constexpr MujocoTask kWalker2d = {
    .name = "walker2d",
    .model_file = "walker2d.xml",
    .model_sha256 = "ac13373c7ac9003a5311c4704b314ed11149b3dd7600bbc02770487300f9ad2d",
    .positions = 9,
    .velocities = 9,
    .actions = 6,
    .frame_skip = 4,
    .model_seconds = 0.002,
    .alive_reward = 1,
    .control_cost = 1e-3,
    .velocity_clip = 10,
    .terminates = true,
    .height_low = 0.8,
    .height_high = 2.0,
    .angle_limit = 1.0,
    .state_limit = kNone,
    .reset_noise = 5e-3,
    .normal_reset_velocities = false,
    .reference_min = 1.629008,
    .reference_max = 4592.3,
    .random_return = 2.63,
};

constexpr MujocoTask kTasks[] = {kHalfcheetah, kHopper, kWalker2d};

double seconds(const MujocoTask& task) {
    return task.model_seconds * static_cast<double>(task.frame_skip);
}

bool finite(std::span<const double> numbers) {
    return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
}

bool below(std::span<const double> numbers, double limit) {
    return std::all_of(numbers.begin(), numbers.end(),
                       [limit](double x) { return std::abs(x) < limit; });
}

}  // namespace

std::span<const MujocoTask> mujoco_tasks() { return kTasks; }

const MujocoTask* find_mujoco_task(std::string_view name) {
    for (const MujocoTask& task : kTasks) {
        if (name == task.name) return &task;
    }
    return nullptr;
}

EnvironmentInfo mujoco_info(const MujocoTask& task) {
    EnvironmentInfo info;
    info.name = task.name;
    info.observation_size = task.positions - 1 + task.velocities;
    info.action_size = task.actions;
    info.action_low.assign(static_cast<std::size_t>(task.actions), -1.0f);
    info.action_high.assign(static_cast<std::size_t>(task.actions), 1.0f);
    info.max_episode_steps = kMaxSteps;
    info.step_seconds = seconds(task);
    info.reference_min = task.reference_min;
    info.reference_max = task.reference_max;
    info.score_note = "references: D4RL's infos.py; rules of v2, see docs/environments.md";
    return info;
}

void mujoco_observation(const MujocoTask& task, std::span<const double> qpos,
                        std::span<const double> qvel, std::span<double> observation) {
    auto out = std::copy(qpos.begin() + 1, qpos.end(), observation.begin());
    for (const double v : qvel) *out++ = std::clamp(v, -task.velocity_clip, task.velocity_clip);
}

void mujoco_clip_action(std::span<const float> action, std::span<double> clipped) {
    for (std::size_t j = 0; j < action.size(); ++j) {
        clipped[j] = std::clamp(double{action[j]}, -1.0, 1.0);
    }
}

double mujoco_reward(const MujocoTask& task, double x_before, double x_after,
                     std::span<const double> action) {
    double squares = 0;
    for (const double a : action) squares += a * a;
    return (x_after - x_before) / seconds(task) + task.alive_reward - task.control_cost * squares;
}

bool mujoco_terminal(const MujocoTask& task, std::span<const double> qpos,
                     std::span<const double> qvel) {
    if (!task.terminates) return false;
    const double height = qpos[1];
    const bool alive = finite(qpos) && finite(qvel) && height > task.height_low &&
                       height < task.height_high && std::abs(qpos[2]) < task.angle_limit &&
                       below(qpos.subspan(2), task.state_limit) && below(qvel, task.state_limit);
    return !alive;
}

void mujoco_add_reset_noise(const MujocoTask& task, std::uint64_t seed, std::uint64_t episode,
                            std::span<double> qpos, std::span<double> qvel) {
    constexpr std::uint64_t kStream = stream_id("environment_reset");
    const auto uniform = [&](std::uint64_t element) {
        return 2.0 * uniform_f64(seed, kStream, episode, element) - 1.0;
    };
    for (std::size_t i = 0; i < qpos.size(); ++i) qpos[i] += task.reset_noise * uniform(i);
    for (std::size_t i = 0; i < qvel.size(); ++i) {
        const std::uint64_t element = kVelocityElement + i;
        qvel[i] += task.reset_noise * (task.normal_reset_velocities
                                           ? normal_f64(seed, kStream, episode, element)
                                           : uniform(element));
    }
}

}  // namespace drydock::envs
