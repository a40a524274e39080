#include "envs/pendulum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/philox.h"

namespace drydock::envs {
namespace {

constexpr double kGravity = 10.0;
constexpr double kMass = 1.0;
constexpr double kLength = 1.0;
constexpr std::int64_t kMaxSteps = 200;

// Into [-pi, pi), as Python's remainder does, whose sign is the divisor's.
double wrap_angle(double angle) {
    constexpr double kTurn = 2.0 * std::numbers::pi;
    double r = std::fmod(angle + std::numbers::pi, kTurn);
    if (r < 0.0) r += kTurn;
    return r - std::numbers::pi;
}

EnvironmentInfo pendulum_info() {
    EnvironmentInfo info;
    info.name = "pendulum";
    info.observation_size = 3;
    info.action_size = 1;
    info.action_low = {static_cast<float>(-kPendulumMaxTorque)};
    info.action_high = {static_cast<float>(kPendulumMaxTorque)};
    info.max_episode_steps = kMaxSteps;
    info.step_seconds = kPendulumStepSeconds;
    info.reference_min = -1235.23;
    info.reference_max = -151.02;
    info.score_note =
        "drydock's own references, not D4RL's: mean returns of the behaviours random "
        "(0) and expert (100) over 1000 episodes";
    return info;
}

class Pendulum final : public Environment {
  public:
    const EnvironmentInfo& info() const override { return info_; }

    void reset(std::uint64_t seed, std::uint64_t episode, std::span<float> observation) override {
        constexpr std::uint64_t kStream = stream_id("environment_reset");
        state_.angle = std::numbers::pi * (2.0 * uniform_f64(seed, kStream, episode, 0) - 1.0);
        state_.velocity = 2.0 * uniform_f64(seed, kStream, episode, 1) - 1.0;
        steps_left_ = kMaxSteps;
        observe(observation);
    }

    StepResult step(std::span<const float> action, std::span<float> observation) override {
        if (steps_left_ == 0) {
            throw Error(
                "[pendulum] expected a running episode, got a step before reset or after "
                "the episode's end; call reset first");
        }
        if (action.size() != 1 || !std::isfinite(action[0])) {
            throw Error(fmt::format("[pendulum] expected one finite torque, got {} numbers{}",
                                    action.size(),
                                    action.empty() ? "" : fmt::format(", {} first", action[0])));
        }
        const PendulumStep result = pendulum_step(state_, double{action[0]});
        state_ = result.next;
        --steps_left_;
        observe(observation);
        return {result.reward, false, steps_left_ == 0};
    }

  private:
    void observe(std::span<float> observation) const {
        if (observation.size() != 3) {
            throw Error(fmt::format("[pendulum] expected room for 3 observations, got {}",
                                    observation.size()));
        }
        observation[0] = static_cast<float>(std::cos(state_.angle));
        observation[1] = static_cast<float>(std::sin(state_.angle));
        observation[2] = static_cast<float>(state_.velocity);
    }

    EnvironmentInfo info_ = pendulum_info();
    PendulumState state_;
    std::int64_t steps_left_ = 0;
};

}  // namespace

PendulumStep pendulum_step(PendulumState state, double torque) {
    const double u = std::clamp(torque, -kPendulumMaxTorque, kPendulumMaxTorque);
    const double angle = wrap_angle(state.angle);
    const double cost = angle * angle + 0.1 * (state.velocity * state.velocity) + 0.001 * (u * u);
    const double acceleration = 3.0 * kGravity / (2.0 * kLength) * std::sin(state.angle) +
                                3.0 / (kMass * kLength * kLength) * u;
    const double velocity = std::clamp(state.velocity + acceleration * kPendulumStepSeconds,
                                       -kPendulumMaxSpeed, kPendulumMaxSpeed);
    return {{state.angle + velocity * kPendulumStepSeconds, velocity}, -cost};
}

std::unique_ptr<Environment> make_pendulum() { return std::make_unique<Pendulum>(); }

}  // namespace drydock::envs
