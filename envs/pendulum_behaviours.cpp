// Behaviours for the pendulum: one controller, made worse in three ways.
//
// The controller pumps energy until the swing carries the pendulum up (K. J. Astrom and K. Furuta,
// "Swinging up a pendulum by energy control", 2000) and catches it with proportional and derivative
// feedback once the torque limit suffices to do so. Constants were chosen by a coarse search over
// mean return.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "envs/behaviours.h"
#include "envs/pendulum.h"

namespace drydock::envs {
namespace {

constexpr double kStiffness = 15.0;  // angle'' = 15 sin(angle) + 3 torque
constexpr double kCatchAngle = 1.2;
constexpr double kCatchReach = 0.45;
constexpr double kProportional = 8.0;
constexpr double kDerivative = 2.0;

double expert_torque(double cosine, double sine, double velocity) {
    const double angle = std::atan2(sine, cosine);
    // The growing mode of the linearised pendulum: where it is small, the motor can stop the fall.
    const double reach = angle + velocity / std::sqrt(kStiffness);
    if (std::abs(angle) < kCatchAngle && std::abs(reach) < kCatchReach) {
        return -(kProportional * angle + kDerivative * velocity);
    }
    const double energy = 0.5 * velocity * velocity + kStiffness * (cosine - 1.0);
    return velocity >= 0.0 ? -energy : energy;
}

struct Skill {
    double strength;     // share of the torque limit that the controller may use
    double noise;        // deviation of the noise on the torque, N m
    double exploration;  // share of steps with a uniform torque instead
};

constexpr Skill kExpert = {1.0, 0.0, 0.0};
constexpr Skill kMedium = {0.7, 0.5, 0.2};
constexpr Skill kWeak = {0.4, 0.5, 0.4};
constexpr Skill kNovice = {0.0, 0.0, 1.0};  // the same as random

Skill blend(const Skill& a, const Skill& b, double share) {
    const auto mix = [share](double x, double y) { return x + share * (y - x); };
    return {mix(a.strength, b.strength), mix(a.noise, b.noise), mix(a.exploration, b.exploration)};
}

class Controller : public Behaviour {
  public:
    explicit Controller(const Skill& skill) : skill_(skill) {}

    void act(std::span<const float> observation, std::uint64_t seed, std::uint64_t episode,
             std::uint64_t step, std::span<float> action) const override {
        if (observation.size() != 3 || action.size() != 1) {
            throw Error(
                fmt::format("[behaviour] expected a pendulum's 3 observations and 1 action, "
                            "got {} and {}",
                            observation.size(), action.size()));
        }
        const Skill skill = skill_in(episode);
        const double limit = skill.strength * kPendulumMaxTorque;
        double torque = std::clamp(
            expert_torque(double{observation[0]}, double{observation[1]}, double{observation[2]}),
            -limit, limit);
        torque += skill.noise * normal_f64(seed, stream_id("behaviour_noise"), episode, step);
        if (uniform_f64(seed, stream_id("behaviour_explore"), episode, step) < skill.exploration) {
            const double u = uniform_f64(seed, stream_id("behaviour_action"), episode, step);
            torque = kPendulumMaxTorque * (2.0 * u - 1.0);
        }
        action[0] = static_cast<float>(std::clamp(torque, -kPendulumMaxTorque, kPendulumMaxTorque));
    }

  protected:
    virtual Skill skill_in(std::uint64_t) const { return skill_; }

  private:
    Skill skill_;
};

// Grows from a novice to medium over the collection, as the replay buffer of a learner does.
class Learner final : public Controller {
  public:
    explicit Learner(std::uint64_t episodes) : Controller(kMedium), episodes_(episodes) {}

  private:
    Skill skill_in(std::uint64_t episode) const override {
        const double last = static_cast<double>(std::max<std::uint64_t>(episodes_, 2) - 1);
        return blend(kNovice, kMedium, std::min(static_cast<double>(episode) / last, 1.0));
    }

    std::uint64_t episodes_;
};

std::unique_ptr<Behaviour> make_mixed(const EnvironmentInfo& environment) {
    std::vector<std::unique_ptr<Behaviour>> parts;
    parts.push_back(make_random_behaviour(environment));
    for (const Skill& skill : {kWeak, kMedium, kExpert}) {
        parts.push_back(std::make_unique<Controller>(skill));
    }
    return make_mixture(std::move(parts));
}

}  // namespace

std::vector<BehaviourEntry> pendulum_behaviours(const EnvironmentInfo& environment) {
    const auto controller = [](const Skill& skill) {
        return [skill](std::uint64_t) { return std::make_unique<Controller>(skill); };
    };
    return {
        {{"random", "uniform torque", -1235.23},
         [environment](std::uint64_t) { return make_random_behaviour(environment); }},
        {{"weak", "swing-up with 40 % of the torque, noise 0.5 N m, two steps in five random",
          -780.61},
         controller(kWeak)},
        {{"medium", "swing-up with 70 % of the torque, noise 0.5 N m, one step in five random",
          -311.91},
         controller(kMedium)},
        {{"expert", "energy-based swing-up, then feedback at the top; no noise", -151.02},
         controller(kExpert)},
        {{"medium-replay", "grows from random to medium over the collection", -892.51},
         [](std::uint64_t episodes) { return std::make_unique<Learner>(episodes); }},
        {{"mixed", "one of random, weak, medium and expert per episode, equal chances", -610.14},
         [environment](std::uint64_t) { return make_mixed(environment); }},
    };
}

}  // namespace drydock::envs
