#include "envs/mujoco_rules.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/philox.h"
#include "tests/envs/mujoco_rows.h"

namespace drydock::envs {
namespace {

const MujocoTask& task_named(const char* name) {
    const MujocoTask* task = find_mujoco_task(name);
    REQUIRE(task != nullptr);
    return *task;
}

struct Moments {
    double low = std::numeric_limits<double>::infinity(), high = -low, mean = 0, square = 0;
};

Moments moments_of(const std::vector<double>& numbers) {
    Moments m;
    const auto n = static_cast<double>(numbers.size());
    for (const double x : numbers) {
        m.low = std::min(m.low, x);
        m.high = std::max(m.high, x);
        m.mean += x / n;
        m.square += x * x / n;
    }
    return m;
}

}  // namespace

TEST_CASE("MuJoCo rules: reward, end and observation are gymnasium's to 1e-12") {
    for (const MujocoTask& task : mujoco_tasks()) {
        CAPTURE(std::string(task.name));
        std::set<std::string> kinds;
        int ended = 0, cut_velocities = 0, cut_actions = 0;
        std::vector<double> action(static_cast<std::size_t>(task.actions));
        std::vector<double> observation(
            static_cast<std::size_t>(mujoco_info(task).observation_size));
        for (const MujocoRow& row : mujoco_rows(task)) {
            mujoco_clip_action(row.action, action);
            const double reward =
                mujoco_reward(task, row.before.qpos[0], row.after.qpos[0], action);
            CHECK(std::abs(reward - row.reward) <= 1e-12 * std::max(1.0, std::abs(row.reward)));
            CHECK(mujoco_terminal(task, row.after.qpos, row.after.qvel) == row.terminated);
            mujoco_observation(task, row.after.qpos, row.after.qvel, observation);
            CHECK(observation == row.observation);
            kinds.insert(row.kind);
            ended += row.terminated;
            for (const double v : row.after.qvel) cut_velocities += std::abs(v) > 10;
            for (const float a : row.action) cut_actions += std::abs(a) > 1;
        }
        // The rows are worth their name.
        CHECK(kinds == std::set<std::string>{"edge", "fast", "saturated", "visited"});
        CHECK((ended > 20) == task.terminates);
        CHECK(cut_velocities > 30);
        CHECK(cut_actions > 10);
    }
}

TEST_CASE("MuJoCo rules: a task ends to the last bit where gymnasium says so") {
    for (const char* name : {"hopper", "walker2d"}) {
        CAPTURE(std::string(name));
        const MujocoTask& task = task_named(name);
        int ended = 0, alive = 0;
        for (const auto& [kind, numbers] :
             lines_of(DRYDOCK_TEST_DATA "/mujoco_limits_" + std::string(name) + ".csv")) {
            const std::span all(numbers);
            const auto qpos = all.first(static_cast<std::size_t>(task.positions));
            const auto qvel = all.subspan(qpos.size(), static_cast<std::size_t>(task.velocities));
            const bool want = all.back() != 0;
            CHECK(mujoco_terminal(task, qpos, qvel) == want);
            (want ? ended : alive)++;
        }
        CHECK(ended > 10);
        CHECK(alive > 10);
    }
}

TEST_CASE("MuJoCo rules: no number of a state may be infinite or none, but halfcheetah goes on") {
    for (const MujocoTask& task : mujoco_tasks()) {
        CAPTURE(std::string(task.name));
        std::vector<double> state(static_cast<std::size_t>(task.positions + task.velocities));
        state[1] = 1.25;
        const std::span all(state);
        const auto qpos = all.first(static_cast<std::size_t>(task.positions));
        const auto qvel = all.subspan(qpos.size());
        CHECK_FALSE(mujoco_terminal(task, qpos, qvel));
        for (double& number : state) {
            const double kept = number;
            for (const double bad :
                 {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                  -std::numeric_limits<double>::infinity()}) {
                number = bad;
                CHECK(mujoco_terminal(task, qpos, qvel) == task.terminates);
            }
            number = kept;
        }
    }
}

TEST_CASE("MuJoCo rules: the start's noise has the task's ranges, without a shared draw") {
    for (const MujocoTask& task : mujoco_tasks()) {
        CAPTURE(std::string(task.name));
        constexpr std::uint64_t kEpisodes = 2000;
        std::vector<double> positions, velocities;
        std::vector<double> qpos(static_cast<std::size_t>(task.positions)), qvel(qpos.size());
        double product = 0;  // of the last position and each velocity: a shared draw shows here
        for (std::uint64_t episode = 0; episode < kEpisodes; ++episode) {
            std::fill(qpos.begin(), qpos.end(), 0.0);
            std::fill(qvel.begin(), qvel.end(), 0.0);
            mujoco_add_reset_noise(task, 4, episode, qpos, qvel);
            positions.insert(positions.end(), qpos.begin(), qpos.end());
            velocities.insert(velocities.end(), qvel.begin(), qvel.end());
            for (const double v : qvel) product += qpos.back() * v;
        }
        const double noise = task.reset_noise;
        const auto n = static_cast<double>(positions.size());
        const Moments p = moments_of(positions), v = moments_of(velocities);
        CHECK(p.low >= -noise);
        CHECK(p.high <= noise);
        CHECK(p.low < -0.999 * noise);
        CHECK(p.high > 0.999 * noise);
        // Five standard errors of mean, mean square (0.298 of a uniform, sqrt(2) of a normal).
        CHECK(std::abs(p.mean) < 5 * noise / std::sqrt(3 * n));
        CHECK(std::abs(p.square / (noise * noise) - 1.0 / 3) < 5 * 0.298 / std::sqrt(n));
        const bool normal = task.normal_reset_velocities;
        CHECK((v.high > 3 * noise) == normal);
        CHECK((v.low < -3 * noise) == normal);
        CHECK(std::abs(v.square / (noise * noise) - (normal ? 1.0 : 1.0 / 3)) <
              5 * (normal ? 1.414 : 0.298) / std::sqrt(n));
        CHECK(std::abs(product / (noise * noise)) < 5 * std::sqrt(n / (normal ? 3 : 9)));
    }
}

TEST_CASE("MuJoCo rules: the start's elements are the documented ones") {
    const MujocoTask& task = task_named("halfcheetah");
    std::vector<double> qpos(9, 2.0), qvel(9, 3.0);
    mujoco_add_reset_noise(task, 11, 12, qpos, qvel);
    constexpr std::uint64_t kStream = stream_id("environment_reset");
    for (std::uint64_t i = 0; i < 9; ++i) {
        CHECK(qpos[i] == 2.0 + 0.1 * (2 * uniform_f64(11, kStream, 12, i) - 1));
        CHECK(qvel[i] == 3.0 + 0.1 * normal_f64(11, kStream, 12, 32 + i));
    }
}

TEST_CASE("MuJoCo tasks are described without a simulator") {
    CHECK(environment_info("hopper").observation_size == 11);
    CHECK(environment_info("hopper").action_size == 3);
    CHECK(environment_info("hopper").step_seconds == doctest::Approx(0.008));
    CHECK(environment_info("walker2d").observation_size == 17);
    CHECK(environment_info("walker2d").step_seconds == doctest::Approx(0.008));
    CHECK(environment_info("halfcheetah").observation_size == 17);
    CHECK(environment_info("halfcheetah").action_size == 6);
    CHECK(environment_info("halfcheetah").step_seconds == doctest::Approx(0.05));
    for (const MujocoTask& task : mujoco_tasks()) {
        const EnvironmentInfo info = environment_info(task.name);
        CHECK(info.name == task.name);
        CHECK(info.max_episode_steps == 1000);
        CHECK(*normalized_score(info, task.reference_min) == 0);
        CHECK(*normalized_score(info, task.reference_max) == 100);
    }
}

}  // namespace drydock::envs
