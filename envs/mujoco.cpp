#include "envs/mujoco.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "envs/mujoco_simulation.h"

namespace drydock::envs {
namespace {

class Locomotion final : public MujocoEnvironment {
  public:
    explicit Locomotion(const MujocoTask& task)
        : task_(task),
          info_(mujoco_info(task)),
          simulation_(task),
          controls_(static_cast<std::size_t>(task.actions)),
          observed_(static_cast<std::size_t>(info_.observation_size)) {
        info_.provenance = {{"mujoco_version", MujocoSimulation::library_version()},
                            {"model_sha256", simulation_.model_sha256()}};
        if (simulation_.model_sha256() == task.model_sha256) return;
        info_.score_note = fmt::format(
            "scores are NOT comparable: {} is not the model of D4RL's scores, which scripts/setup "
            "fetches; {}",
            simulation_.model_path(), info_.score_note);
    }

    const EnvironmentInfo& info() const override { return info_; }
    const MujocoTask& task() const override { return task_; }
    MujocoState state() const override {
        const auto qpos = simulation_.qpos(), qvel = simulation_.qvel();
        return {{qpos.begin(), qpos.end()}, {qvel.begin(), qvel.end()}};
    }

    void reset(std::uint64_t seed, std::uint64_t episode, std::span<float> observation) override {
        check_room(observation);
        const auto resting = simulation_.resting_qpos();
        std::vector<double> qpos(resting.begin(), resting.end());
        std::vector<double> qvel(static_cast<std::size_t>(task_.velocities));
        mujoco_add_reset_noise(task_, seed, episode, qpos, qvel);
        set_state(qpos, qvel, 0);
        observe(observation);
    }

    void set_state(std::span<const double> qpos, std::span<const double> qvel,
                   std::int64_t steps_taken) override {
        check_state(qpos, qvel);
        if (steps_taken < 0 || steps_taken >= info_.max_episode_steps) {
            throw Error(fmt::format("[{}] expected steps taken in [0, {}), got {}", task_.name,
                                    info_.max_episode_steps, steps_taken));
        }
        steps_left_ = 0;  // where libmujoco fails, no episode runs
        simulation_.set_state(qpos, qvel);
        steps_left_ = info_.max_episode_steps - steps_taken;
    }

    StepResult step(std::span<const float> action, std::span<float> observation) override {
        check_room(observation);
        check_action(action);
        mujoco_clip_action(action, controls_);
        const double x_before = simulation_.qpos()[0];
        const std::int64_t left = steps_left_ - 1;
        steps_left_ = 0;  // until the step is known to have left a state to go on from
        const bool sound = simulation_.advance(controls_);
        if (!sound && !task_.terminates) {
            throw Error(fmt::format(
                "[{}] expected a state to go on from, but the simulation became unstable and this "
                "task has no terminal states; call reset, and look at the actions that led here",
                task_.name));
        }
        const auto qpos = simulation_.qpos(), qvel = simulation_.qvel();
        StepResult result;
        result.reward = mujoco_reward(task_, x_before, qpos[0], controls_);
        result.terminal = !sound || mujoco_terminal(task_, qpos, qvel);
        result.timeout = left == 0 && !result.terminal;
        if (!result.terminal) steps_left_ = left;
        observe(observation);
        return result;
    }

  private:
    void check_room(std::span<float> observation) const {
        if (observation.size() == observed_.size()) return;
        throw Error(fmt::format("[{}] expected room for {} observations, got {}", task_.name,
                                observed_.size(), observation.size()));
    }

    void check_action(std::span<const float> action) const {
        if (steps_left_ == 0) {
            throw Error(
                fmt::format("[{}] expected a running episode, got a step before reset or after "
                            "the episode's end; call reset first",
                            task_.name));
        }
        const auto bad =
            std::find_if(action.begin(), action.end(), [](float a) { return !std::isfinite(a); });
        if (action.size() != controls_.size() || bad != action.end()) {
            throw Error(fmt::format("[{}] expected {} finite actions, got {}{}", task_.name,
                                    controls_.size(), action.size(),
                                    bad == action.end() ? "" : fmt::format(", {} among", *bad)));
        }
    }

    void check_state(std::span<const double> qpos, std::span<const double> qvel) const {
        if (qpos.size() != static_cast<std::size_t>(task_.positions) ||
            qvel.size() != static_cast<std::size_t>(task_.velocities)) {
            throw Error(fmt::format("[{}] expected {} positions and {} velocities, got {} and {}",
                                    task_.name, task_.positions, task_.velocities, qpos.size(),
                                    qvel.size()));
        }
        for (const auto part : {qpos, qvel}) {
            for (const double number : part) {
                if (mujoco_sound(number)) continue;
                throw Error(fmt::format("[{}] expected a finite state within 1e10, got {}",
                                        task_.name, number));
            }
        }
    }

    void observe(std::span<float> observation) {
        mujoco_observation(task_, simulation_.qpos(), simulation_.qvel(), observed_);
        std::transform(observed_.begin(), observed_.end(), observation.begin(),
                       [](double x) { return static_cast<float>(x); });
    }

    const MujocoTask& task_;
    EnvironmentInfo info_;
    MujocoSimulation simulation_;
    std::vector<double> controls_, observed_;
    std::int64_t steps_left_ = 0;
};

}  // namespace

std::unique_ptr<MujocoEnvironment> make_mujoco(const MujocoTask& task) {
    return std::make_unique<Locomotion>(task);
}

std::string mujoco_obstacle(const MujocoTask& task) {
    try {
        make_mujoco(task);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

}  // namespace drydock::envs
