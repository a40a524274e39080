#include "envs/environment.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "tests/envs/mujoco_rows.h"

namespace drydock::envs {

TEST_CASE("every listed environment can be made and describes itself") {
    REQUIRE_FALSE(list_environments().empty());
    for (const std::string& name : list_environments()) {
        CAPTURE(name);
        const EnvironmentInfo info = environment_info(name);
        CHECK(info.name == name);
        REQUIRE(info.action_low.size() == static_cast<std::size_t>(info.action_size));
        REQUIRE(info.action_high.size() == info.action_low.size());
        for (std::size_t j = 0; j < info.action_low.size(); ++j) {
            CHECK(info.action_low[j] < info.action_high[j]);
        }
        CHECK(info.max_episode_steps > 0);
        CHECK(info.step_seconds > 0);
        CHECK(info.reference_min.has_value() == info.reference_max.has_value());
        CHECK(info.score_note.empty() != info.reference_min.has_value());
        const MujocoTask* task = find_mujoco_task(name);
        if (task != nullptr && skipped(*task)) continue;
        const auto environment = make_environment(name);
        CHECK(environment->info().name == info.name);
        CHECK(environment->info().observation_size == info.observation_size);
        CHECK(environment->info().action_low == info.action_low);
        std::vector<float> observation(static_cast<std::size_t>(info.observation_size));
        CHECK_NOTHROW(environment->reset(0, 0, observation));
        CHECK_NOTHROW(environment->step(info.action_low, observation));
    }
}

TEST_CASE("an unknown environment is a wrong call that lists the known ones") {
    try {
        make_environment("Pendulum-v9");
        FAIL("nothing thrown");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
        const std::string text = error.what();
        CHECK(text.find("Pendulum-v9") != std::string::npos);
        CHECK(text.find("one of cartpole, halfcheetah, hopper, pendulum, walker2d") !=
              std::string::npos);
    }
}

TEST_CASE("the normalised score maps the references to 0 and 100") {
    EnvironmentInfo info;
    CHECK_FALSE(normalized_score(info, 5).has_value());
    info.reference_min = -10;
    info.reference_max = 30;
    CHECK(*normalized_score(info, -10) == 0);
    CHECK(*normalized_score(info, 30) == 100);
    CHECK(*normalized_score(info, -30) == -50);
}

}  // namespace drydock::envs
