#include "envs/mujoco_simulation.h"

#include <fmt/format.h>
#include <mujoco/mujoco.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "envs/file_hash.h"

namespace drydock::envs {
namespace {

// Errors of libmujoco. Its default handler ends the process, and a handler must not return. The
// library is C: an exception may not pass through it, but there is nothing to destroy in its
// frames, so a jump over them is sound. (Loading has C++ frames. There the library catches its own
// errors and reports them; only running out of memory would come here, and cost a leak.)
thread_local std::jmp_buf* escape = nullptr;
thread_local char error_text[512];
void (*foreign_error_handler)(const char*) = nullptr;

void on_error(const char* message) {
    if (escape != nullptr) {
        std::snprintf(error_text, sizeof error_text, "%s", message);
        std::longjmp(*escape, 1);
    }
    // Someone else's call in this process: what would have happened without us.
    if (foreign_error_handler != nullptr) return foreign_error_handler(message);
    mju_user_error = nullptr;
    mju_error(message);
}

// Warnings are counted in mjData, where advance() finds them.
void on_warning(const char*) {}

// Calls `call(context)`, which must hold nothing that needs destruction. False after an error.
bool call_guarded(void (*call)(void*), void* context) {
    std::jmp_buf here;
    if (setjmp(here) == 0) {  // NOLINT(cert-err52-cpp): see above
        escape = &here;
        call(context);
        escape = nullptr;
        return true;
    }
    escape = nullptr;
    return false;
}

template <class Call>
void guarded(const char* name, Call call) {
    if (!call_guarded([](void* context) { (*static_cast<Call*>(context))(); }, &call)) {
        throw Error(fmt::format("[{}] MuJoCo failed: {}; reset starts anew", name, error_text));
    }
}

// Steps share it, loading has it alone.
std::shared_mutex library_mutex;

void install_handlers() {
    static std::once_flag once;
    std::call_once(once, [] {
        foreign_error_handler = mju_user_error;
        mju_user_error = on_error;
        if (mju_user_warning == nullptr) mju_user_warning = on_warning;
    });
}

struct DeleteModel {
    void operator()(mjModel* model) const { mj_deleteModel(model); }
};
struct DeleteData {
    void operator()(mjData* data) const { mj_deleteData(data); }
};

std::string model_path(const MujocoTask& task) {
    const char* folder = std::getenv("DRYDOCK_MUJOCO_MODELS");
    if (folder == nullptr || *folder == '\0') folder = DRYDOCK_MUJOCO_MODELS_FOLDER;
    return std::string(folder) + "/" + task.model_file;
}

void check_readable(const MujocoTask& task, const std::string& path) {
    if (std::ifstream(path).peek() != std::ifstream::traits_type::eof()) return;
    throw Error(
        fmt::format("[{}] expected MuJoCo's model file {}, and there is none to read; run "
                    "scripts/setup, which fetches it, or name its folder in "
                    "DRYDOCK_MUJOCO_MODELS",
                    task.name, path));
}

void check_shape(const MujocoTask& task, const mjModel& model, const std::string& path) {
    if (model.nq == task.positions && model.nv == task.velocities && model.nu == task.actions &&
        model.na == 0 && model.opt.timestep == task.model_seconds) {
        return;
    }
    throw Error(
        fmt::format("[{}] expected a model of {} positions, {} velocities, {} actuators and "
                    "steps of {} s, got {}, {}, {} and {} s in {}; run scripts/setup, which "
                    "fetches the right one",
                    task.name, task.positions, task.velocities, task.actions, task.model_seconds,
                    model.nq, model.nv, model.nu, model.opt.timestep, path));
}

std::shared_ptr<const mjModel> parse_model(const MujocoTask& task, const std::string& path) {
    check_readable(task, path);
    char text[1000] = "";
    mjModel* loaded = nullptr;
    guarded(task.name, [&] { loaded = mj_loadXML(path.c_str(), nullptr, text, sizeof text); });
    if (loaded == nullptr) {
        throw Error(
            fmt::format("[{}] expected a model in {}, and MuJoCo says: {}; run "
                        "scripts/setup, which fetches the right one",
                        task.name, path, text));
    }
    std::shared_ptr<const mjModel> model(loaded, DeleteModel());
    check_shape(task, *model, path);
    return model;
}

struct Model {
    std::string path, sha256;
    std::shared_ptr<const mjModel> compiled;
};

// One model per file for the life of the process.
const Model& load_model(const MujocoTask& task) {
    static std::map<std::string, Model> models;
    const std::string path = model_path(task);
    const std::unique_lock alone(library_mutex);
    install_handlers();
    Model& model = models[path];
    if (model.compiled == nullptr) {
        const std::string sha256 = sha256_of_file(path);
        model = {path, sha256, parse_model(task, path)};
    }
    return model;
}

std::span<double> numbers(mjtNum* first, int count) {
    return {first, static_cast<std::size_t>(count)};
}

bool sound(std::span<const double> state) {
    return std::all_of(state.begin(), state.end(), mujoco_sound);
}

}  // namespace

bool mujoco_sound(double number) { return std::abs(number) <= mjMAXVAL; }

struct MujocoSimulation::Parts {
    const char* name;
    std::int64_t frame_skip;
    std::string model_path, model_sha256;
    std::shared_ptr<const mjModel> model;
    std::unique_ptr<mjData, DeleteData> data;
    std::vector<double> sound_qpos, sound_qvel;  // before the current step of the model

    std::span<double> qpos() const { return numbers(data->qpos, model->nq); }
    std::span<double> qvel() const { return numbers(data->qvel, model->nv); }
};

MujocoSimulation::MujocoSimulation(const MujocoTask& task) : parts_(std::make_unique<Parts>()) {
    Parts& p = *parts_;
    p.name = task.name;
    p.frame_skip = task.frame_skip;
    const Model& loaded = load_model(task);
    p.model_path = loaded.path;
    p.model_sha256 = loaded.sha256;
    p.model = loaded.compiled;
    const std::shared_lock others(library_mutex);
    mjData* made = nullptr;
    guarded(p.name, [&] { made = mj_makeData(p.model.get()); });
    if (made == nullptr) throw Error(fmt::format("[{}] MuJoCo made no data", p.name));
    p.data.reset(made);
    p.sound_qpos.resize(p.qpos().size());
    p.sound_qvel.resize(p.qvel().size());
}

MujocoSimulation::~MujocoSimulation() = default;

void MujocoSimulation::set_state(std::span<const double> qpos, std::span<const double> qvel) {
    Parts& p = *parts_;
    const std::shared_lock others(library_mutex);
    guarded(p.name, [&] {
        mj_resetData(p.model.get(), p.data.get());
        std::copy(qpos.begin(), qpos.end(), p.data->qpos);
        std::copy(qvel.begin(), qvel.end(), p.data->qvel);
        // As gymnasium's set_state: the first step starts from this solution's warm start.
        mj_forward(p.model.get(), p.data.get());
    });
}

bool MujocoSimulation::advance(std::span<const double> controls) {
    Parts& p = *parts_;
    const std::shared_lock others(library_mutex);
    std::copy(controls.begin(), controls.end(), p.data->ctrl);
    for (std::int64_t frame = 0; frame < p.frame_skip; ++frame) {
        std::copy(p.qpos().begin(), p.qpos().end(), p.sound_qpos.begin());
        std::copy(p.qvel().begin(), p.qvel().end(), p.sound_qvel.begin());
        guarded(p.name, [&] { mj_step(p.model.get(), p.data.get()); });
        const mjWarningStat* warning = p.data->warning;
        const int gave_up = warning[mjWARN_BADQPOS].number + warning[mjWARN_BADQVEL].number +
                            warning[mjWARN_BADQACC].number;
        if (gave_up > 0 || !sound(p.qpos()) || !sound(p.qvel())) {
            std::copy(p.sound_qpos.begin(), p.sound_qpos.end(), p.data->qpos);
            std::copy(p.sound_qvel.begin(), p.sound_qvel.end(), p.data->qvel);
            return false;
        }
    }
    return true;
}

const std::string& MujocoSimulation::model_path() const { return parts_->model_path; }
const std::string& MujocoSimulation::model_sha256() const { return parts_->model_sha256; }
std::string MujocoSimulation::library_version() { return mj_versionString(); }
std::span<const double> MujocoSimulation::qpos() const { return parts_->qpos(); }
std::span<const double> MujocoSimulation::qvel() const { return parts_->qvel(); }
std::span<const double> MujocoSimulation::resting_qpos() const {
    return {parts_->model->qpos0, static_cast<std::size_t>(parts_->model->nq)};
}

}  // namespace drydock::envs
