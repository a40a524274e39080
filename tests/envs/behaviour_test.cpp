#include "envs/behaviour.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"

namespace drydock::envs {
namespace {

struct Play {
    std::vector<float> actions;
    double episode_return = 0;
};

Play play(Environment& environment, const Behaviour& behaviour, std::uint64_t seed,
          std::uint64_t episode) {
    Play played;
    std::vector<float> observation(static_cast<std::size_t>(environment.info().observation_size));
    std::vector<float> action(static_cast<std::size_t>(environment.info().action_size));
    environment.reset(seed, episode, observation);
    for (std::uint64_t step = 0;; ++step) {
        behaviour.act(observation, seed, episode, step, action);
        played.actions.insert(played.actions.end(), action.begin(), action.end());
        const StepResult result = environment.step(action, observation);
        played.episode_return += result.reward;
        if (result.terminal || result.timeout) return played;
    }
}

double mean_return(const std::string& name, std::uint64_t first, std::uint64_t last,
                   std::uint64_t episodes) {
    const auto environment = make_environment("pendulum");
    const auto behaviour = make_behaviour(environment->info(), name, episodes);
    double sum = 0;
    for (std::uint64_t e = first; e < last; ++e) {
        sum += play(*environment, *behaviour, 0, e).episode_return;
    }
    return sum / static_cast<double>(last - first);
}

}  // namespace

TEST_CASE("documented mean returns are what 1000 episodes of seed 0 give") {
    const EnvironmentInfo info = make_environment("pendulum")->info();
    const auto behaviours = list_behaviours(info);
    REQUIRE(behaviours.size() == 6);
    for (const BehaviourInfo& behaviour : behaviours) {
        CAPTURE(behaviour.name);
        const double mean = mean_return(behaviour.name, 0, 1000, 1000);
        // Another libm may round differently, and a noisy swing-up then goes another way.
        CHECK(std::abs(mean - behaviour.mean_return.value()) < 2);
        if (behaviour.name == "random") CHECK(behaviour.mean_return == info.reference_min);
        if (behaviour.name == "expert") CHECK(behaviour.mean_return == info.reference_max);
    }
}

TEST_CASE("qualities are in their order") {
    const auto behaviours = list_behaviours(make_environment("pendulum")->info());
    const char* order[] = {"random", "weak", "medium", "expert"};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(behaviours[i].name == order[i]);
        if (i > 0) CHECK(*behaviours[i].mean_return > *behaviours[i - 1].mean_return + 100);
    }
}

TEST_CASE("actions are a function of seed, episode and step, in any order of episodes") {
    const auto environment = make_environment("pendulum");
    for (const BehaviourInfo& info : list_behaviours(environment->info())) {
        CAPTURE(info.name);
        const auto behaviour = make_behaviour(environment->info(), info.name, 20);
        const auto again = make_behaviour(environment->info(), info.name, 20);
        const Play third = play(*environment, *behaviour, 1, 3);
        const Play second = play(*environment, *behaviour, 1, 2);
        CHECK(play(*environment, *again, 1, 2).actions == second.actions);
        CHECK(play(*environment, *again, 1, 3).actions == third.actions);
        CHECK(second.actions != third.actions);
        CHECK(play(*environment, *again, 2, 3).actions != third.actions);
    }
}

TEST_CASE("actions stay within the bounds") {
    const auto environment = make_environment("pendulum");
    for (const BehaviourInfo& info : list_behaviours(environment->info())) {
        const auto behaviour = make_behaviour(environment->info(), info.name, 10);
        for (std::uint64_t episode = 0; episode < 10; ++episode) {
            for (const float action : play(*environment, *behaviour, 0, episode).actions) {
                CHECK(std::abs(action) <= 2);
            }
        }
    }
}

TEST_CASE("mixed plays one of its parts for a whole episode, each about as often") {
    const auto environment = make_environment("pendulum");
    const EnvironmentInfo& info = environment->info();
    const auto mixed = make_behaviour(info, "mixed", 200);
    const char* parts[] = {"random", "weak", "medium", "expert"};
    int count[4] = {};
    for (std::uint64_t episode = 0; episode < 200; ++episode) {
        const auto actions = play(*environment, *mixed, 0, episode).actions;
        for (int p = 0; p < 4; ++p) {
            const auto part = make_behaviour(info, parts[p], 200);
            count[p] += play(*environment, *part, 0, episode).actions == actions;
        }
    }
    for (const int c : count) CHECK(std::abs(c - 50) < 31);  // five standard deviations
    CHECK(count[0] + count[1] + count[2] + count[3] == 200);
}

TEST_CASE("medium-replay begins as random, ends as medium and grows between") {
    const double first = mean_return("medium-replay", 0, 100, 1000);
    const double middle = mean_return("medium-replay", 450, 550, 1000);
    const double last = mean_return("medium-replay", 900, 1000, 1000);
    CHECK(first < middle - 100);
    CHECK(middle < last - 100);

    const auto environment = make_environment("pendulum");
    const auto learner = make_behaviour(environment->info(), "medium-replay", 10);
    const auto medium = make_behaviour(environment->info(), "medium", 10);
    CHECK(play(*environment, *learner, 0, 9).actions == play(*environment, *medium, 0, 9).actions);
    CHECK(play(*environment, *learner, 0, 8).actions != play(*environment, *medium, 0, 8).actions);
    CHECK_NOTHROW(
        play(*environment, *make_behaviour(environment->info(), "medium-replay", 0), 0, 5));
}

TEST_CASE("every environment has random, with actions spread over its bounds") {
    EnvironmentInfo info;
    info.name = "mine";
    info.action_size = 2;
    info.action_low = {-1, 10};
    info.action_high = {1, 30};
    REQUIRE(list_behaviours(info).size() == 1);
    CHECK(list_behaviours(info)[0].name == "random");
    CHECK_FALSE(list_behaviours(info)[0].mean_return.has_value());
    const auto behaviour = make_behaviour(info, "random", 1);
    double sum[2] = {};
    for (std::uint64_t step = 0; step < 10000; ++step) {
        float action[2];
        behaviour->act({}, 0, 0, step, action);
        for (std::size_t j = 0; j < 2; ++j) {
            CHECK(action[j] >= info.action_low[j]);
            CHECK(action[j] <= info.action_high[j]);
            sum[j] += double{action[j]};
        }
    }
    CHECK(std::abs(sum[0] / 10000) < 5 * 0.00577);
    CHECK(std::abs(sum[1] / 10000 - 20) < 5 * 0.0577);
}

TEST_CASE("wrong names and sizes say what was expected") {
    const EnvironmentInfo info = make_environment("pendulum")->info();
    try {
        make_behaviour(info, "best", 1);
        FAIL("nothing thrown");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
        CHECK(std::string(error.what()).find("random, weak, medium, expert") != std::string::npos);
    }
    float two[2], one[1];
    CHECK_THROWS_AS(make_behaviour(info, "random", 1)->act({}, 0, 0, 0, two), Error);
    CHECK_THROWS_AS(make_behaviour(info, "expert", 1)->act(two, 0, 0, 0, one), Error);
}

}  // namespace drydock::envs
