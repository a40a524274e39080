// A pole on a cart, the equations of Gymnasium's CartPole-v1
// (gymnasium/envs/classic_control/cartpole.py of Farama-Foundation/Gymnasium; A. G. Barto, R. S.
// Sutton and C. W. Anderson, "Neuronlike adaptive elements that can solve difficult learning
// control problems", 1983).
#pragma once

#include <memory>

#include "envs/environment.h"

namespace drydock::envs {

constexpr double kCartPoleTrack = 2.4;                                     // m, to either side
constexpr double kCartPoleAngle = 12.0 * 2.0 * 3.141592653589793 / 360.0;  // rad

struct CartPoleState {
    double position = 0;          // m, of the cart
    double velocity = 0;          // m/s
    double angle = 0;             // rad, 0 is upright
    double angular_velocity = 0;  // rad/s
};

// One explicit Euler step of 0.02 s in double under a force of 10 N, to the right or to the left:
// gravity 9.8, cart 1 kg, pole 0.1 kg and 1 m (0.5 m to its middle).
CartPoleState cartpole_step(const CartPoleState& state, bool right);
// Whether the cart has left the track or the pole has fallen: the task ends.
bool cartpole_fails(const CartPoleState& state);

// Observation (position, velocity, angle, angular velocity); two actions, 0 pushes to the left and
// 1 to the right. Starts with all four in [-0.05, 0.05), pays 1 for every step, the failing one
// too, and times out after 500.
std::unique_ptr<Environment> make_cartpole();

}  // namespace drydock::envs
