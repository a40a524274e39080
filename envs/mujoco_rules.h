// The locomotion tasks hopper, halfcheetah and walker2d by the rules of gym's "v2", which D4RL's
// data and scores rest on: one row per task, and each rule as a pure function of states. Nothing
// here needs libmujoco.
//
// Sources: gym's v2 classes, and D4RL's gym_mujoco/gym_envs.py, whose wrapper clips actions.
// gymnasium's v4 classes keep these rules, and the tests compare each with them; its v5 do not.
//
// A state is qpos (positions: metres, radians) and qvel (velocities, per second) in MuJoCo's order:
// qpos[0] is x, qpos[1] the height and qpos[2] the angle of the torso. Spans have the sizes of the
// task's row; that is the caller's duty.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "envs/environment.h"

namespace drydock::envs {

struct MujocoTask {
    const char* name;
    const char* model_file;
    const char* model_sha256;  // of the file that scripts/setup fetches
    std::int64_t positions;    // size of qpos
    std::int64_t velocities;   // size of qvel
    std::int64_t actions;      // each within [-1, 1]
    std::int64_t frame_skip;   // steps of the model in one of the task
    double model_seconds;      // simulated time of one step of the model

    double alive_reward;   // paid for every step, also for the one that ends the episode
    double control_cost;   // per sum of squared actions
    double velocity_clip;  // bound of observed velocities

    bool terminates;                 // whether the next four rows mean anything
    double height_low, height_high;  // alive strictly between
    double angle_limit;              // alive while the torso's |angle| is smaller
    double state_limit;              // alive while all |numbers| but x and height are smaller

    double reset_noise;            // positions start uniformly within this of the model's
    bool normal_reset_velocities;  // velocities: this times a standard normal, else as positions

    double reference_min, reference_max;  // returns of score 0 and 100, from D4RL's infos.py
    double random_return;                 // mean return of the behaviour "random", envs/behaviour.h
};

// All tasks, sorted by name; and the one of that name, or nullptr.
std::span<const MujocoTask> mujoco_tasks();
const MujocoTask* find_mujoco_task(std::string_view name);

// What the task looks like from outside; works without libmujoco and without model files.
EnvironmentInfo mujoco_info(const MujocoTask& task);

// qpos without x, then qvel cut to the clip: (positions - 1 + velocities).
void mujoco_observation(const MujocoTask& task, std::span<const double> qpos,
                        std::span<const double> qvel, std::span<double> observation);

// The actions that the task sees: cut to [-1, 1], in double (actions).
void mujoco_clip_action(std::span<const float> action, std::span<double> clipped);

// (x_after - x_before) / dt + alive reward - control cost, for a clipped action.
double mujoco_reward(const MujocoTask& task, double x_before, double x_after,
                     std::span<const double> action);

// Whether the task ends in this state. A task that terminates does so in every state that is not
// finite, as gym's v2 hopper does.
bool mujoco_terminal(const MujocoTask& task, std::span<const double> qpos,
                     std::span<const double> qvel);

// Adds the noise of an episode's start to the model's resting state. Position i takes element i of
// the stream "environment_reset" at step `episode`, velocity i takes element 32 + i.
void mujoco_add_reset_noise(const MujocoTask& task, std::uint64_t seed, std::uint64_t episode,
                            std::span<double> qpos, std::span<double> qvel);

}  // namespace drydock::envs
