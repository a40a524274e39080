#include "envs/cartpole.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "base/philox.h"

namespace drydock::envs {
namespace {

constexpr double kGravity = 9.8;
constexpr double kPoleMass = 0.1;
constexpr double kTotalMass = 1.0 + kPoleMass;
constexpr double kHalfLength = 0.5;
constexpr double kForce = 10.0;
constexpr double kSeconds = 0.02;
constexpr double kStart = 0.05;
constexpr std::int64_t kMaxSteps = 500;

EnvironmentInfo cartpole_info() {
    EnvironmentInfo info;
    info.name = "cartpole";
    info.observation_size = 4;
    info.action_size = 1;
    info.action_count = 2;
    info.action_low = {0.0f};
    info.action_high = {1.0f};
    info.max_episode_steps = kMaxSteps;
    info.step_seconds = kSeconds;
    info.reference_min = 22.53;
    info.reference_max = 500.0;
    info.score_note =
        "drydock's own references, not D4RL's: the mean return of the behaviour random (0) over "
        "1000 episodes, and the largest return there is (100)";
    return info;
}

class CartPole final : public Environment {
  public:
    const EnvironmentInfo& info() const override { return info_; }

    void reset(std::uint64_t seed, std::uint64_t episode, std::span<float> observation) override {
        double* numbers[] = {&state_.position, &state_.velocity, &state_.angle,
                             &state_.angular_velocity};
        for (std::uint64_t i = 0; i < 4; ++i) {
            const double u = uniform_f64(seed, stream_id("environment_reset"), episode, i);
            *numbers[i] = kStart * (2.0 * u - 1.0);
        }
        steps_left_ = kMaxSteps;
        observe(observation);
    }

    StepResult step(std::span<const float> action, std::span<float> observation) override {
        if (steps_left_ == 0) {
            throw Error(
                "[cartpole] expected a running episode, got a step before reset or after the "
                "episode's end; call reset first");
        }
        if (action.size() != 1 || (action[0] != 0.0f && action[0] != 1.0f)) {
            throw Error(fmt::format("[cartpole] expected one action, 0 or 1, got {}{}",
                                    action.size(),
                                    action.empty() ? "" : fmt::format(", {} first", action[0])));
        }
        state_ = cartpole_step(state_, action[0] == 1.0f);
        const bool failed = cartpole_fails(state_);
        steps_left_ = failed ? 0 : steps_left_ - 1;
        observe(observation);
        return {1.0, failed, !failed && steps_left_ == 0};
    }

  private:
    void observe(std::span<float> observation) const {
        if (observation.size() != 4) {
            throw Error(fmt::format("[cartpole] expected room for 4 observations, got {}",
                                    observation.size()));
        }
        observation[0] = static_cast<float>(state_.position);
        observation[1] = static_cast<float>(state_.velocity);
        observation[2] = static_cast<float>(state_.angle);
        observation[3] = static_cast<float>(state_.angular_velocity);
    }

    EnvironmentInfo info_ = cartpole_info();
    CartPoleState state_;
    std::int64_t steps_left_ = 0;
};

}  // namespace

CartPoleState cartpole_step(const CartPoleState& s, bool right) {
    const double force = right ? kForce : -kForce;
    const double cosine = std::cos(s.angle), sine = std::sin(s.angle);
    const double swing = kPoleMass * kHalfLength;
    const double push =
        (force + swing * (s.angular_velocity * s.angular_velocity) * sine) / kTotalMass;
    const double angular_acceleration =
        (kGravity * sine - cosine * push) /
        (kHalfLength * (4.0 / 3.0 - kPoleMass * (cosine * cosine) / kTotalMass));
    const double acceleration = push - swing * angular_acceleration * cosine / kTotalMass;
    return {s.position + kSeconds * s.velocity, s.velocity + kSeconds * acceleration,
            s.angle + kSeconds * s.angular_velocity,
            s.angular_velocity + kSeconds * angular_acceleration};
}

bool cartpole_fails(const CartPoleState& s) {
    return std::abs(s.position) > kCartPoleTrack || std::abs(s.angle) > kCartPoleAngle;
}

std::unique_ptr<Environment> make_cartpole() { return std::make_unique<CartPole>(); }

}  // namespace drydock::envs
