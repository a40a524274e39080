#include "envs/cartpole.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "envs/behaviour.h"

namespace drydock::envs {
namespace {

std::vector<std::vector<double>> rows_of(const std::string& path) {
    std::vector<std::vector<double>> rows;
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::stringstream fields(line);
        rows.emplace_back();
        for (std::string field; std::getline(fields, field, ',');) {
            rows.back().push_back(std::stod(field));
        }
    }
    return rows;
}

double return_of(const std::string& behaviour, std::uint64_t episode) {
    const auto environment = make_cartpole();
    const auto actor = make_behaviour(environment->info(), behaviour, 1);
    std::vector<float> observation(4), action(1);
    environment->reset(3, episode, observation);
    double sum = 0;
    for (std::uint64_t step = 0;; ++step) {
        actor->act(observation, 3, episode, step, action);
        const StepResult result = environment->step(action, observation);
        sum += result.reward;
        if (result.terminal || result.timeout) return sum;
    }
}

}  // namespace

TEST_CASE("one step of the cart and pole is Gymnasium's to 1e-12") {
    const auto rows = rows_of(DRYDOCK_TEST_DATA "/cartpole_rows.csv");
    REQUIRE(rows.size() == 60);
    int failures = 0;
    for (const auto& row : rows) {
        const CartPoleState got = cartpole_step({row[0], row[1], row[2], row[3]}, row[4] == 1.0);
        CHECK(std::abs(got.position - row[5]) <= 1e-12);
        CHECK(std::abs(got.velocity - row[6]) <= 1e-12);
        CHECK(std::abs(got.angle - row[7]) <= 1e-12);
        CHECK(std::abs(got.angular_velocity - row[8]) <= 1e-12);
        CHECK(row[9] == 1.0);
        CHECK(cartpole_fails(got) == (row[10] != 0));
        failures += row[10] != 0;
    }
    CHECK(failures > 5);
    CHECK(failures < 55);
}

TEST_CASE("a cart and pole episode pays 1 a step, ends by a fall or after 500 steps") {
    const auto environment = make_environment("cartpole");
    CHECK(environment->info().action_count == 2);
    CHECK(environment->info().action_size == 1);
    std::vector<float> observation(4);
    const float right = 1.0f;
    environment->reset(1, 2, observation);
    for (const float x : observation) CHECK(std::abs(x) <= 0.05f);
    StepResult last;
    int steps = 0;
    for (; !last.terminal && steps < 100; ++steps)
        last = environment->step({&right, 1}, observation);
    CHECK(last.terminal);
    CHECK(last.reward == 1.0);
    CHECK_FALSE(last.timeout);
    CHECK(steps < 20);
    CHECK_THROWS_WITH_AS(environment->step({&right, 1}, observation), doctest::Contains("reset"),
                         Error);
}

TEST_CASE("the cart and pole takes 0 and 1 and nothing else") {
    const auto environment = make_cartpole();
    std::vector<float> observation(4);
    environment->reset(0, 0, observation);
    for (const float wrong : {0.5f, -1.0f, 2.0f, std::nanf("")}) {
        CHECK_THROWS_WITH_AS(environment->step({&wrong, 1}, observation),
                             doctest::Contains("0 or 1"), Error);
    }
}

TEST_CASE("behaviours of the cart and pole are as good as they say") {
    double random = 0, left = 0;
    for (std::uint64_t episode = 0; episode < 20; ++episode) {
        CHECK(return_of("expert", episode) == 500.0);
        random += return_of("random", episode) / 20;
        left += return_of("runs-left", episode) / 20;
    }
    CHECK(random < 40.0);
    CHECK(left > 80.0);
    CHECK(left < 400.0);
    const auto behaviours = list_behaviours(make_cartpole()->info());
    CHECK(behaviours.front().name == "random");
    CHECK(behaviours.back().name == "mixed");
}

}  // namespace drydock::envs
