// Behaviours for the cart and pole: linear feedback on the state, made worse in three ways. The
// expert holds the cart in the middle; the others balance the pole while they let the cart run off
// to one side, and take random actions in between.
#include <fmt/format.h>

#include "base/error.h"
#include "base/philox.h"
#include "envs/behaviours.h"
#include "envs/cartpole.h"

namespace drydock::envs {
namespace {

struct Skill {
    double leaning;      // rad, the angle at which it holds the pole: the cart then accelerates
    double centring;     // of the feedback on the cart's position and velocity
    double exploration;  // share of steps with a random action instead
};

constexpr Skill kExpert = {0.0, 1.0, 0.0};
constexpr Skill kMedium = {0.0, 0.0, 0.2};
constexpr Skill kRunsLeft = {-0.05, 0.0, 0.3};
constexpr Skill kRunsRight = {0.05, 0.0, 0.3};

class Controller final : public Behaviour {
  public:
    explicit Controller(const Skill& skill) : skill_(skill) {}

    void act(std::span<const float> observation, std::uint64_t seed, std::uint64_t episode,
             std::uint64_t step, std::span<float> action) const override {
        if (observation.size() != 4 || action.size() != 1) {
            throw Error(
                fmt::format("[behaviour] expected a cart and pole's 4 observations and 1 action, "
                            "got {} and {}",
                            observation.size(), action.size()));
        }
        const double angle = double{observation[2]} - skill_.leaning;
        const double lean =
            angle + 0.25 * double{observation[3]} +
            skill_.centring * (0.02 * double{observation[0]} + 0.06 * double{observation[1]});
        bool right = lean > 0.0;
        if (uniform_f64(seed, stream_id("behaviour_explore"), episode, step) < skill_.exploration) {
            right = uniform_f64(seed, stream_id("behaviour_action"), episode, step) < 0.5;
        }
        action[0] = right ? 1.0f : 0.0f;
    }

  private:
    Skill skill_;
};

std::unique_ptr<Behaviour> make_mixed(const EnvironmentInfo& environment) {
    std::vector<std::unique_ptr<Behaviour>> parts;
    parts.push_back(make_random_behaviour(environment));
    for (const Skill& skill : {kRunsLeft, kRunsRight}) {
        parts.push_back(std::make_unique<Controller>(skill));
    }
    return make_mixture(std::move(parts));
}

}  // namespace

std::vector<BehaviourEntry> cartpole_behaviours(const EnvironmentInfo& environment) {
    const auto controller = [](const Skill& skill) {
        return [skill](std::uint64_t) { return std::make_unique<Controller>(skill); };
    };
    return {
        {{"random", "left or right with equal chances", 22.53},
         [environment](std::uint64_t) { return make_random_behaviour(environment); }},
        {{"runs-left",
          "balances the pole and lets the cart run off to the left, three steps in ten "
          "random",
          164.38},
         controller(kRunsLeft)},
        {{"runs-right", "the same to the right", 162.26}, controller(kRunsRight)},
        {{"medium", "balances the pole and does not look at the cart, one step in five random",
          452.92},
         controller(kMedium)},
        {{"expert", "balances the pole and holds the cart in the middle", 500.0},
         controller(kExpert)},
        {{"mixed", "one of random, runs-left and runs-right per episode, equal chances", 117.20},
         [environment](std::uint64_t) { return make_mixed(environment); }},
    };
}

}  // namespace drydock::envs
