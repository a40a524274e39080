#include "envs/pendulum.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>
#include <sstream>

#include "base/error.h"
#include "base/philox.h"

namespace drydock::envs {
namespace {

using Row = std::vector<double>;

std::vector<Row> rows_of(const std::string& path) {
    std::vector<Row> rows;
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        Row row;
        std::stringstream fields(line);
        for (std::string field; std::getline(fields, field, ',');) row.push_back(std::stod(field));
        rows.push_back(row);
    }
    return rows;
}

struct Episode {
    std::vector<float> observations;
    std::vector<double> rewards;
    bool operator==(const Episode&) const = default;
};

// An episode of `steps` steps under a torque that depends on the step alone.
Episode play(Environment& environment, std::uint64_t seed, std::uint64_t episode, int steps) {
    Episode played;
    std::vector<float> observation(3);
    environment.reset(seed, episode, observation);
    for (int step = 0; step < steps; ++step) {
        played.observations.insert(played.observations.end(), observation.begin(),
                                   observation.end());
        const float torque = static_cast<float>(step % 5) - 2.0f;
        played.rewards.push_back(environment.step({&torque, 1}, observation).reward);
    }
    return played;
}

template <class Call>
std::string message_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing thrown";
}

}  // namespace

TEST_CASE("one step is Gymnasium's to 1e-12") {
    const auto rows = rows_of(DRYDOCK_TEST_DATA "/pendulum_rows.csv");
    REQUIRE(rows.size() == 60);
    for (const Row& row : rows) {
        const PendulumStep got = pendulum_step({row[0], row[1]}, row[2]);
        CHECK(std::abs(got.next.angle - row[3]) <= 1e-12);
        CHECK(std::abs(got.next.velocity - row[4]) <= 1e-12);
        CHECK(std::abs(got.reward - row[5]) <= 1e-12);
    }
}

TEST_CASE("hanging still costs pi squared, standing still nothing") {
    CHECK(pendulum_step({std::numbers::pi, 0}, 0).reward ==
          doctest::Approx(-std::numbers::pi * std::numbers::pi));
    CHECK(pendulum_step({0, 0}, 0).reward == 0);
    CHECK(pendulum_step({0, 0}, 0).next.angle == 0);
}

TEST_CASE("the environment steps with pendulum_step and observes in float32") {
    const auto environment = make_pendulum();
    std::vector<float> observation(3);
    environment->reset(3, 5, observation);
    constexpr std::uint64_t kStream = stream_id("environment_reset");
    PendulumState state;
    state.angle = std::numbers::pi * (2 * uniform_f64(3, kStream, 5, 0) - 1);
    state.velocity = 2 * uniform_f64(3, kStream, 5, 1) - 1;
    for (int step = 0; step < 50; ++step) {
        CHECK(observation[0] == static_cast<float>(std::cos(state.angle)));
        CHECK(observation[1] == static_cast<float>(std::sin(state.angle)));
        CHECK(observation[2] == static_cast<float>(state.velocity));
        const float torque = 0.1f * static_cast<float>(step) - 2.5f;
        const PendulumStep want = pendulum_step(state, double{torque});
        CHECK(environment->step({&torque, 1}, observation).reward == want.reward);
        state = want.next;
    }
}

TEST_CASE("an episode times out after exactly 200 steps and never terminates") {
    const auto environment = make_pendulum();
    CHECK(environment->info().max_episode_steps == 200);
    std::vector<float> observation(3);
    for (std::uint64_t episode = 0; episode < 2; ++episode) {
        environment->reset(0, episode, observation);
        const float torque = 1;
        for (int step = 1; step <= 200; ++step) {
            const StepResult result = environment->step({&torque, 1}, observation);
            CHECK_FALSE(result.terminal);
            CHECK(result.timeout == (step == 200));
        }
    }
}

TEST_CASE("the initial state is a function of seed and episode alone") {
    const auto one = make_pendulum();
    const auto other = make_pendulum();
    const Episode want = play(*one, 7, 3, 100);
    play(*other, 7, 2, 13);
    CHECK(play(*other, 7, 3, 100) == want);
    CHECK(play(*other, 7, 4, 100) != want);
    CHECK(play(*other, 8, 3, 100) != want);
}

TEST_CASE("initial states fill angle and velocity ranges evenly") {
    const auto environment = make_pendulum();
    std::vector<float> o(3);
    double angle_sum = 0, velocity_square = 0;
    constexpr int kEpisodes = 4000;
    int upper_half = 0;
    for (int episode = 0; episode < kEpisodes; ++episode) {
        environment->reset(0, static_cast<std::uint64_t>(episode), o);
        angle_sum += std::atan2(double{o[1]}, double{o[0]});
        upper_half += o[0] > 0;
        velocity_square += double{o[2]} * double{o[2]};
        CHECK(std::abs(o[2]) <= 1);
    }
    // Five standard errors: pi / sqrt(3 n), sqrt(n / 4), and 2 / sqrt(45 n).
    CHECK(std::abs(angle_sum / kEpisodes) < 5 * 0.0287);
    CHECK(std::abs(upper_half - kEpisodes / 2) < 5 * 31.7);
    CHECK(std::abs(velocity_square / kEpisodes - 1.0 / 3) < 5 * 0.00472);
}

TEST_CASE("wrong calls say what was expected") {
    const auto environment = make_pendulum();
    std::vector<float> observation(3), pair(2), torque(1);
    CHECK(message_of([&] { environment->step(torque, observation); }).find("call reset first") !=
          std::string::npos);
    CHECK(message_of([&] { environment->reset(0, 0, pair); }).find("3 observations, got 2") !=
          std::string::npos);
    environment->reset(0, 0, observation);
    CHECK(message_of([&] { environment->step(pair, observation); }).find("got 2 numbers") !=
          std::string::npos);
    torque[0] = std::numeric_limits<float>::quiet_NaN();
    CHECK(message_of([&] { environment->step(torque, observation); }).find("nan") !=
          std::string::npos);
    torque[0] = 0;
    for (int step = 0; step < 200; ++step) environment->step(torque, observation);
    CHECK(message_of([&] { environment->step(torque, observation); }).find("call reset first") !=
          std::string::npos);
}

}  // namespace drydock::envs
