// The tasks on libmujoco. Every case is skipped, saying so, where libmujoco or a model is missing.
#include "envs/mujoco.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <thread>

#include "base/error.h"
#include "base/philox.h"
#include "envs/behaviour.h"
#include "tests/envs/mujoco_rows.h"

namespace drydock::envs {
namespace {

struct Trajectory {
    std::vector<float> observations;
    std::vector<double> rewards;
    bool terminal = false, timeout = false;
    bool operator==(const Trajectory&) const = default;
};

// An episode under random actions that depend on episode and step alone.
Trajectory play(Environment& environment, std::uint64_t seed, std::uint64_t episode,
                std::size_t most_steps = 1000) {
    Trajectory t;
    std::vector<float> observation(static_cast<std::size_t>(environment.info().observation_size));
    std::vector<float> action(static_cast<std::size_t>(environment.info().action_size));
    environment.reset(seed, episode, observation);
    t.observations = observation;
    while (!t.terminal && !t.timeout && t.rewards.size() < most_steps) {
        for (std::size_t j = 0; j < action.size(); ++j) {
            action[j] = 2 * uniform_f32(99, 0, episode, t.rewards.size() * action.size() + j) - 1;
        }
        const StepResult result = environment.step(action, observation);
        t.observations.insert(t.observations.end(), observation.begin(), observation.end());
        t.rewards.push_back(result.reward);
        t.terminal = result.terminal;
        t.timeout = result.timeout;
    }
    return t;
}

double largest_difference(const std::vector<double>& got, const std::vector<double>& want) {
    double largest = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        largest = std::max(largest, std::abs(got[i] - want[i]) / std::max(1.0, std::abs(want[i])));
    }
    return largest;
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

bool says(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

// The rows were recorded on MuJoCo 3.2.3. Measured on libmujoco 2.2.2, the largest difference
// relative to max(1, |number|) was 3e-15 in hopper, 2e-13 in halfcheetah and 8e-13 in walker2d.
TEST_CASE("a MuJoCo step is gymnasium's from the same state and action") {
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const auto environment = make_mujoco(task);
        std::vector<float> observation(
            static_cast<std::size_t>(environment->info().observation_size));
        double worst = 0;
        for (const MujocoRow& row : mujoco_rows(task)) {
            environment->set_state(row.before.qpos, row.before.qvel);
            const StepResult got = environment->step(row.action, observation);
            const MujocoState state = environment->state();
            worst = std::max(worst, largest_difference(state.qpos, row.after.qpos));
            worst = std::max(worst, largest_difference(state.qvel, row.after.qvel));
            worst = std::max(worst, largest_difference({got.reward}, {row.reward}));
            CHECK(got.terminal == row.terminated);
            CHECK_FALSE(got.timeout);
            for (std::size_t i = 0; i < observation.size(); ++i) {
                const float want = static_cast<float>(row.observation[i]);
                CHECK(std::abs(observation[i] - want) <= 1e-6f * std::max(1.0f, std::abs(want)));
            }
        }
        CHECK(worst <= 1e-11);
    }
}

TEST_CASE("a MuJoCo episode is a function of seed, episode and actions, whatever ran before") {
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const auto fresh = make_environment(task.name);
        const Trajectory want = play(*fresh, 5, 3, 200);
        const auto used = make_mujoco(task);
        play(*used, 5, 4, 150);
        CHECK(play(*used, 5, 3, 200) == want);
        // A simulation that was given up, and one that stands elsewhere in full motion.
        std::vector<float> observation(static_cast<std::size_t>(used->info().observation_size));
        const std::vector<double> qpos(static_cast<std::size_t>(task.positions), 0.5);
        std::vector<double> qvel(qpos.size(), 50);
        used->set_state(qpos, qvel, 500);
        used->step(used->info().action_high, observation);
        CHECK(play(*used, 5, 3, 200) == want);
        CHECK(play(*used, 5, 4, 200) != want);
        CHECK(play(*used, 6, 3, 200) != want);
    }
}

TEST_CASE("MuJoCo episodes on several threads are those on one") {
    constexpr std::size_t kThreads = 4;
    constexpr std::uint64_t kEpisodes = 6;
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const auto alone = make_mujoco(task);
        std::vector<Trajectory> want;
        for (std::uint64_t e = 0; e < kEpisodes; ++e) want.push_back(play(*alone, 1, e, 60));
        std::array<std::vector<Trajectory>, kThreads> got;
        std::vector<std::thread> threads;
        for (std::size_t t = 0; t < kThreads; ++t) {
            threads.emplace_back([&task, &mine = got[t], t] {
                const auto environment = make_mujoco(task);  // made while others step
                mine.resize(kEpisodes);
                for (std::uint64_t i = 0; i < kEpisodes; ++i) {
                    const std::uint64_t e = (i + t) % kEpisodes;
                    mine[e] = play(*environment, 1, e, 60);
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        for (const auto& trajectories : got) CHECK(trajectories == want);
    }
}

TEST_CASE(
    "MuJoCo episodes end by their rules: 1000 steps are a timeout, unless the last is terminal") {
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const auto environment = make_mujoco(task);
        std::vector<float> observation(
            static_cast<std::size_t>(environment->info().observation_size));
        const std::vector<float> still(static_cast<std::size_t>(task.actions), 0.0f);
        environment->reset(0, 0, observation);
        const MujocoState start = environment->state();

        environment->set_state(start.qpos, start.qvel, 998);
        CHECK_FALSE(environment->step(still, observation).timeout);
        const StepResult last = environment->step(still, observation);
        CHECK(last.timeout);
        CHECK_FALSE(last.terminal);
        CHECK(says(message_of([&] { environment->step(still, observation); }), "call reset first"));

        MujocoState fallen = start;
        fallen.qpos[1] = task.name == std::string("halfcheetah") ? start.qpos[1] : 0.5;
        environment->set_state(fallen.qpos, fallen.qvel, 999);
        const StepResult both = environment->step(still, observation);
        CHECK(both.terminal == task.terminates);
        CHECK(both.timeout == !task.terminates);
        CHECK(says(message_of([&] { environment->step(still, observation); }), "call reset first"));
        CHECK_NOTHROW(environment->reset(0, 1, observation));
        CHECK_NOTHROW(environment->step(still, observation));
    }
}

TEST_CASE("halfcheetah runs for exactly 1000 steps") {
    const MujocoTask& task = *find_mujoco_task("halfcheetah");
    if (skipped(task)) return;
    const Trajectory t = play(*make_mujoco(task), 0, 0, 2000);
    CHECK(t.rewards.size() == 1000);
    CHECK(t.timeout);
    CHECK_FALSE(t.terminal);
}

TEST_CASE("the documented mean returns of random MuJoCo behaviour are what seed 0 gives") {
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const auto environment = make_mujoco(task);
        const EnvironmentInfo& info = environment->info();
        const auto behaviour = make_behaviour(info, "random", 1000);
        std::vector<float> observation(static_cast<std::size_t>(info.observation_size));
        std::vector<float> action(static_cast<std::size_t>(info.action_size));
        // A halfcheetah's episode is 50 times as long as a random hopper's.
        const std::uint64_t episodes = task.terminates ? 1000 : 30;
        double mean = 0, square = 0;
        for (std::uint64_t episode = 0; episode < episodes; ++episode) {
            environment->reset(0, episode, observation);
            StepResult result;
            double sum = 0;
            for (std::uint64_t step = 0; !result.terminal && !result.timeout; ++step) {
                behaviour->act(observation, 0, episode, step, action);
                result = environment->step(action, observation);
                sum += result.reward;
            }
            mean += sum / static_cast<double>(episodes);
            square += sum * sum / static_cast<double>(episodes);
        }
        // Another version of MuJoCo gives other episodes of the same kind.
        const double error = std::sqrt((square - mean * mean) / static_cast<double>(episodes));
        CHECK(std::abs(mean - task.random_return) < 5 * error);
        CHECK(list_behaviours(info).front().mean_return == task.random_return);
    }
}

TEST_CASE("actions beyond the bounds are the bounds, for physics and reward") {
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const auto environment = make_mujoco(task);
        const auto size = static_cast<std::size_t>(environment->info().observation_size);
        std::vector<float> one(size), other(size);
        environment->reset(0, 0, one);
        const StepResult bound = environment->step(environment->info().action_high, one);
        environment->reset(0, 0, other);
        const std::vector<float> beyond(static_cast<std::size_t>(task.actions), 7.5f);
        CHECK(environment->step(beyond, other).reward == bound.reward);
        CHECK(one == other);
    }
}

TEST_CASE(
    "a simulation that MuJoCo gives up ends hopper and walker2d, and is halfcheetah's error") {
    const auto folder = std::filesystem::temp_directory_path() / "drydock-mujoco-log-test";
    std::filesystem::create_directories(folder);
    const auto here = std::filesystem::current_path();
    std::filesystem::current_path(folder);
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const auto environment = make_mujoco(task);
        std::vector<float> observation(
            static_cast<std::size_t>(environment->info().observation_size));
        const std::vector<float> still(static_cast<std::size_t>(task.actions), 0.0f);
        environment->reset(0, 0, observation);
        const MujocoState start = environment->state();
        std::vector<double> qvel = start.qvel;
        for (std::size_t i = 2; i < qvel.size(); ++i) qvel[i] = i % 2 == 0 ? 1e9 : -1e9;
        environment->set_state(start.qpos, qvel);
        if (task.terminates) {
            const StepResult result = environment->step(still, observation);
            CHECK(result.terminal);
            CHECK(std::isfinite(result.reward));
            // Not the resting state, into which MuJoCo falls back by itself.
            CHECK(std::abs(environment->state().qvel[2]) > 1e6);
            for (const float o : observation) CHECK(std::isfinite(o));
        } else {
            CHECK(says(message_of([&] { environment->step(still, observation); }), "unstable"));
        }
        CHECK(says(message_of([&] { environment->step(still, observation); }), "call reset first"));
        environment->reset(0, 0, observation);
        CHECK(environment->state().qpos == start.qpos);
        CHECK_FALSE(environment->step(still, observation).terminal);
    }
    std::filesystem::current_path(here);
    CHECK(std::filesystem::is_empty(folder));  // no MUJOCO_LOG.TXT
    std::filesystem::remove_all(folder);
}

TEST_CASE("wrong calls of a MuJoCo task say what was expected") {
    const MujocoTask& task = *find_mujoco_task("hopper");
    if (skipped(task)) return;
    const auto environment = make_mujoco(task);
    std::vector<float> observation(11), short_observation(10), action(3), short_action(2);
    const auto message = [&](auto&& call) { return message_of(call); };
    CHECK(says(message([&] { environment->step(action, observation); }), "call reset first"));
    CHECK(says(message([&] { environment->reset(0, 0, short_observation); }), "11 observations"));
    environment->reset(0, 0, observation);
    CHECK(says(message([&] { environment->step(short_action, observation); }), "got 2"));
    CHECK(says(message([&] { environment->step(action, short_observation); }), "got 10"));
    action[1] = std::numeric_limits<float>::infinity();
    CHECK(says(message([&] { environment->step(action, observation); }), "inf among"));
    const std::vector<double> five(5), six(6);
    std::vector<double> bad(6);
    CHECK(says(message([&] { environment->set_state(five, six); }), "got 5 and 6"));
    CHECK(says(message([&] { environment->set_state(six, six, 1000); }), "got 1000"));
    CHECK(says(message([&] { environment->set_state(six, six, -1); }), "got -1"));
    for (const double number : {std::nan(""), 2e10}) {
        bad[3] = number;
        CHECK(says(message([&] { environment->set_state(six, bad); }), "within 1e10"));
        CHECK(says(message([&] { environment->set_state(bad, six); }), "within 1e10"));
    }
    action[1] = 0;
    CHECK_NOTHROW(environment->step(action, observation));  // none of the calls did harm
}

}  // namespace drydock::envs
