// Model files that are missing or wrong, and data that another MuJoCo made.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "data/d4rl.h"
#include "tests/envs/mujoco_rows.h"

namespace drydock::envs {
namespace {

namespace fs = std::filesystem;

// Points DRYDOCK_MUJOCO_MODELS elsewhere for the length of a test.
class ModelsFolder {
  public:
    explicit ModelsFolder(const fs::path& folder) {
        const char* value = std::getenv(kName);
        if (value != nullptr) kept_ = value;
        setenv(kName, folder.c_str(), 1);
    }
    ~ModelsFolder() { kept_.empty() ? unsetenv(kName) : setenv(kName, kept_.c_str(), 1); }
    ModelsFolder(const ModelsFolder&) = delete;
    ModelsFolder& operator=(const ModelsFolder&) = delete;

  private:
    static constexpr const char* kName = "DRYDOCK_MUJOCO_MODELS";
    std::string kept_;
};

bool says(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

fs::path data_folder() {
    const char* named = std::getenv("DRYDOCK_DATA");
    if (named != nullptr && *named != '\0') return named;
    return fs::path(DRYDOCK_TEST_DATA) / "../../../../shared/data";
}

// The state of a row, but for x, which no rule and no force depends on. False where the observation
// does not tell the whole state: a velocity was cut.
bool state_of(const MujocoTask& task, std::span<const float> observation, MujocoState& state) {
    state.qpos.assign(1, 0.0);
    const auto positions = static_cast<std::size_t>(task.positions - 1);
    state.qpos.insert(state.qpos.end(), observation.begin(),
                      observation.begin() + static_cast<std::ptrdiff_t>(positions));
    state.qvel.assign(observation.begin() + static_cast<std::ptrdiff_t>(positions),
                      observation.end());
    return std::none_of(state.qvel.begin(), state.qvel.end(),
                        [&](double v) { return std::abs(v) >= task.velocity_clip; });
}

}  // namespace

TEST_CASE("a MuJoCo model that is missing or wrong is an error that says what to run") {
    const MujocoTask& hopper = *find_mujoco_task("hopper");
    const std::string usual = mujoco_obstacle(hopper);
    if (says(usual, "libmujoco-dev")) {
        MESSAGE("this build has no MuJoCo: " << usual);
        CHECK_THROWS_AS(make_environment("hopper"), Error);
        CHECK_THROWS_AS(make_environment("walker2d"), Error);
        return;
    }
    const fs::path folder = fs::temp_directory_path() / "drydock-mujoco-files-test";
    fs::remove_all(folder);
    fs::create_directories(folder);
    {
        const ModelsFolder elsewhere(folder);
        const std::string missing = mujoco_obstacle(hopper);
        CHECK(says(missing, (folder / "hopper.xml").string()));
        CHECK(says(missing, "scripts/setup"));
        std::ofstream(folder / "hopper.xml") << "";
        CHECK(says(mujoco_obstacle(hopper), "none to read"));
        std::ofstream(folder / "hopper.xml") << "<mujoco><worldbody>";
        CHECK(says(mujoco_obstacle(hopper), "MuJoCo says"));
        // Parses, but does not compile: here the library itself runs into its error handler.
        std::ofstream(folder / "hopper.xml")
            << "<mujoco><worldbody><body><joint/></body></worldbody></mujoco>";
        CHECK(says(mujoco_obstacle(hopper), "MuJoCo says"));
        std::ofstream(folder / "hopper.xml") << "<mujoco><worldbody/></mujoco>";
        const std::string shape = mujoco_obstacle(hopper);
        CHECK(says(shape, "6 positions"));
        CHECK(says(shape, "got 0"));
    }
    CHECK(mujoco_obstacle(hopper) == usual);
    fs::remove_all(folder);
}

TEST_CASE("a MuJoCo model that is not the known one is played, and the score says so") {
    for (const MujocoTask& task : mujoco_tasks()) {
        if (skipped(task)) continue;
        const char* usual = std::getenv("DRYDOCK_MUJOCO_MODELS");
        const fs::path models = usual != nullptr ? usual : DRYDOCK_TEST_MUJOCO_MODELS;
        const EnvironmentInfo known = make_mujoco(task)->info();
        CHECK(known.provenance.at("model_sha256") == task.model_sha256);
        CHECK(known.provenance.at("mujoco_version").find('.') != std::string::npos);
        CHECK(known.score_note == mujoco_info(task).score_note);
        const fs::path folder = fs::temp_directory_path() / "drydock-mujoco-other-test";
        fs::create_directories(folder);
        fs::copy_file(models / task.model_file, folder / task.model_file,
                      fs::copy_options::overwrite_existing);
        std::ofstream(folder / task.model_file, std::ios::app) << "<!-- heavier -->\n";
        {
            const ModelsFolder elsewhere(folder);
            const EnvironmentInfo other = make_mujoco(task)->info();
            CHECK(says(other.score_note, "NOT comparable"));
            CHECK(says(other.score_note, (folder / task.model_file).string()));
            CHECK(other.provenance.at("model_sha256").size() == 64);
            CHECK(other.provenance.at("model_sha256") != task.model_sha256);
        }
        fs::remove_all(folder);
    }
}

// With room for 250 to 300 numbers on MuJoCo's stack, libmujoco 2.2.2 loads hopper and runs out of
// room in a step with contacts, which by its own manners would end the process.
TEST_CASE("an error inside MuJoCo's step is an Error, and a reset starts anew") {
    const MujocoTask& hopper = *find_mujoco_task("hopper");
    if (skipped(hopper)) return;
    const char* usual = std::getenv("DRYDOCK_MUJOCO_MODELS");
    const fs::path models = usual != nullptr ? usual : DRYDOCK_TEST_MUJOCO_MODELS;
    std::stringstream model;
    model << std::ifstream(models / "hopper.xml").rdbuf();
    const std::string text = model.str(), head = "<mujoco model=\"hopper\">";
    REQUIRE(says(text, head));
    const std::size_t behind_head = text.find(head) + head.size();
    const fs::path folder = fs::temp_directory_path() / "drydock-mujoco-error-test";
    const MujocoState lying = {{0, 0.1, 1.5, -0.1, 0.1, 0.1}, std::vector<double>(6)};
    const std::vector<float> still(3);
    std::vector<float> observation(11);
    int failures = 0;
    for (int room = 250; room <= 300; room += 10) {
        const fs::path small = folder / std::to_string(room);
        fs::create_directories(small);
        std::ofstream(small / "hopper.xml") << std::string(text).insert(
            behind_head, "<size nstack=\"" + std::to_string(room) + "\"/>");
        const ModelsFolder elsewhere(small);
        if (says(mujoco_obstacle(hopper), "Stack overflow")) continue;  // too small to load
        const auto environment = make_mujoco(hopper);
        for (int attempt = 0; attempt < 2; ++attempt) {
            environment->reset(0, 0, observation);
            CHECK_NOTHROW(environment->step(still, observation));  // in the air
            environment->set_state(lying.qpos, lying.qvel);
            try {
                environment->step(still, observation);
            } catch (const Error& error) {
                CHECK(says(error.what(), "MuJoCo failed: Stack overflow"));
                CHECK_THROWS_AS(environment->step(still, observation), Error);  // no episode runs
                ++failures;
            }
        }
    }
    CHECK(failures >= 4);
    fs::remove_all(folder);
}

// About 500 rows spread over each file, written by MuJoCo 3.3.7 in float32: the state is known to
// 6e-8 of itself, which stiff contacts amplify. Measured: median 5e-7 and less, 99th percentile
// 2e-5, largest 9e-5 (hopper: 1e-6).
TEST_CASE("a MuJoCo step from a row of recorded data gives the recorded reward and observation") {
    for (const char* file :
         {"hopper-medium-expert-v4", "halfcheetah-medium-replay-v4", "walker2d-medium-replay-v4"}) {
        const fs::path path = data_folder() / (std::string(file) + ".hdf5");
        if (!fs::exists(path)) {
            MESSAGE("skipped: no " << std::string(file) << "; set DRYDOCK_DATA to its folder");
            continue;
        }
        const MujocoTask& task =
            *find_mujoco_task(std::string(file).substr(0, std::string(file).find('-')));
        if (skipped(task)) continue;
        CAPTURE(std::string(task.name));
        const data::Dataset d = data::read_d4rl(path.string());
        const auto environment = make_mujoco(task);
        const auto S = static_cast<std::size_t>(d.observation_size);
        const auto A = static_cast<std::size_t>(d.action_size);
        std::vector<float> got(S);
        std::vector<double> differences;
        for (std::int64_t i = 0; i < d.rows; i += d.rows / 500) {
            const auto r = static_cast<std::size_t>(i);
            MujocoState state;
            if (!state_of(task, std::span(d.observations).subspan(r * S, S), state)) continue;
            environment->set_state(state.qpos, state.qvel);
            const StepResult step = environment->step(std::span(d.actions).subspan(r * A, A), got);
            CHECK(step.terminal == (d.terminals[r] != 0));
            double worst = std::abs(step.reward - double{d.rewards[r]});
            for (std::size_t j = 0; j < S; ++j) {
                worst = std::max(worst,
                                 std::abs(double{got[j]} - double{d.next_observations[r * S + j]}));
            }
            differences.push_back(worst);
        }
        REQUIRE(differences.size() > 200);
        std::sort(differences.begin(), differences.end());
        CHECK(differences[differences.size() / 2] < 1e-6);
        CHECK(differences[differences.size() * 99 / 100] < 1e-4);
        CHECK(differences.back() < 1e-3);
    }
}

}  // namespace drydock::envs
