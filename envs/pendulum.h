// Pendulum swing-up, the equations of Gymnasium's Pendulum-v1
// (gymnasium/envs/classic_control/pendulum.py of Farama-Foundation/Gymnasium).
#pragma once

#include <memory>

#include "envs/environment.h"

namespace drydock::envs {

constexpr double kPendulumMaxSpeed = 8.0;   // rad/s
constexpr double kPendulumMaxTorque = 2.0;  // N m
constexpr double kPendulumStepSeconds = 0.05;

struct PendulumState {
    double angle = 0;     // rad, 0 is upright, not wrapped
    double velocity = 0;  // rad/s
};

struct PendulumStep {
    PendulumState next;
    double reward = 0;  // of the state before the step
};

// One step of semi-implicit Euler in double: gravity 10, mass 1, length 1. `torque` is clipped to
// +-kPendulumMaxTorque first, the velocity to +-kPendulumMaxSpeed after.
//   reward = -(wrapped angle^2 + 0.1 velocity^2 + 0.001 torque^2)
PendulumStep pendulum_step(PendulumState state, double torque);

// Observation (cos angle, sin angle, velocity), action (torque); starts at angle in [-pi, pi) and
// velocity in [-1, 1), times out after 200 steps and never terminates.
std::unique_ptr<Environment> make_pendulum();

}  // namespace drydock::envs
