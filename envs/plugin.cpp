#include "envs/plugin.h"

#include <dlfcn.h>
#include <drydock/environment.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "envs/file_hash.h"

namespace drydock::envs {
namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::int64_t kLargestSize = 65536;  // the policy runtime's widest layer

[[noreturn]] void refuse(const std::string& file, const std::string& text) {
    throw Error(fmt::format("[environment] {}: {}", file, text));
}

// The six functions of a loaded library, and what it said of itself first.
struct Library {
    std::string file;
    std::string sha256;  // of the file, before it was loaded
    std::optional<EnvironmentInfo> info;
    decltype(&drydock_environment_abi) abi = nullptr;
    decltype(&drydock_environment_get_info) get_info = nullptr;
    decltype(&drydock_environment_create) create = nullptr;
    decltype(&drydock_environment_reset) reset = nullptr;
    decltype(&drydock_environment_step) step = nullptr;
    decltype(&drydock_environment_destroy) destroy = nullptr;
};

template <class Function>
void find(const Library& library, void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (function == nullptr) {
        refuse(library.file, fmt::format("expected a function {}, there is none; a library "
                                         "exports the six of drydock/environment.h",
                                         name));
    }
}

void check_version(const Library& library) {
    const std::uint32_t version = library.abi();
    if (version >= 1 && version <= DRYDOCK_ENVIRONMENT_ABI) return;
    refuse(library.file, fmt::format("expected version 1 to {} of drydock/environment.h, got {}; "
                                     "build the library with the header of this drydock",
                                     DRYDOCK_ENVIRONMENT_ABI, version));
}

Library load(const std::string& file) {
    if (!std::filesystem::is_regular_file(file)) {
        throw Error(fmt::format("[environment] expected a shared object, got {}, which is not a "
                                "file; name the library that you built from your environment",
                                file),
                    ErrorKind::usage);
    }
    Library library;
    library.file = file;
    library.sha256 = sha256_of_file(file);
    // Never closed. RTLD_LOCAL: two libraries with the same six names do not see each other.
    void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        const char* const reason = dlerror();
        refuse(file, fmt::format("expected a shared object that can be loaded, got \"{}\"; build "
                                 "it with cc -shared -fPIC",
                                 reason ? reason : "no details"));
    }
    find(library, handle, "drydock_environment_abi", library.abi);
    check_version(library);
    find(library, handle, "drydock_environment_get_info", library.get_info);
    find(library, handle, "drydock_environment_create", library.create);
    find(library, handle, "drydock_environment_reset", library.reset);
    find(library, handle, "drydock_environment_step", library.step);
    find(library, handle, "drydock_environment_destroy", library.destroy);
    return library;
}

// Guards what is known of the libraries.
std::mutex libraries_mutex;

// A file is loaded once, as the dynamic loader does it: one that was built anew meanwhile is not
// what runs. Entries stay where they are.
Library& loaded(const std::string& file) {
    static std::map<std::string, Library> libraries;
    std::error_code error;
    std::string place = std::filesystem::weakly_canonical(file, error).string();
    if (error) place = file;
    const std::lock_guard guard(libraries_mutex);
    const auto known = libraries.find(place);
    if (known != libraries.end()) return known->second;
    return libraries.emplace(place, load(file)).first->second;
}

template <class Struct>
Struct prepared() {
    Struct s{};
    s.struct_size = sizeof s;
    s.abi_version = DRYDOCK_ENVIRONMENT_ABI;
    return s;
}

// Calls one of the functions with an error to fill and throws when its status says so.
template <class Call>
void call(const std::string& file, const char* what, Call function) {
    auto error = prepared<drydock_environment_error>();
    const drydock_environment_status status = function(&error);
    if (status == DRYDOCK_ENVIRONMENT_OK) return;
    error.text[sizeof error.text - 1] = '\0';
    refuse(file, fmt::format("{} failed with status {}: {}", what, status,
                             error.text[0] != '\0' ? error.text : "the library gave no text"));
}

std::string checked_name(const std::string& file, const char* name) {
    if (name == nullptr) refuse(file, "expected a name in its info, got none");
    std::string text(name, strnlen(name, kLongestName + 1));
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    };
    if (text.empty() || text.size() > kLongestName ||
        !std::all_of(text.begin(), text.end(), allowed)) {
        refuse(file, fmt::format("expected a name of 1 to {} letters, digits, '-', '_' or '.' in "
                                 "its info, got \"{}\"",
                                 kLongestName, text));
    }
    const std::vector<std::string> known = list_environments();
    if (std::find(known.begin(), known.end(), text) != known.end()) {
        refuse(file, fmt::format("expected a name of its own, got \"{}\", which is an environment "
                                 "of drydock; choose another",
                                 text));
    }
    return text;
}

void check_whole(const std::string& file, const char* what, std::int64_t value,
                 std::int64_t largest) {
    if (value >= 1 && value <= largest) return;
    refuse(file, fmt::format("expected {} from 1 to {} in its info, got {}", what, largest, value));
}

void check_bounds(const std::string& file, const drydock_environment_info& raw) {
    if (raw.action_low == nullptr || raw.action_high == nullptr) {
        refuse(file, "expected action_low and action_high in its info, got a null pointer");
    }
    for (std::int64_t j = 0; j < raw.action_size; ++j) {
        const float low = raw.action_low[j], high = raw.action_high[j];
        if (std::isfinite(low) && std::isfinite(high) && low < high) continue;
        refuse(file, fmt::format("expected finite bounds with low < high for action {}, got {} "
                                 "and {}",
                                 j, low, high));
    }
}

EnvironmentInfo checked_info(const Library& library) {
    auto raw = prepared<drydock_environment_info>();
    call(library.file, "drydock_environment_get_info",
         [&](drydock_environment_error* error) { return library.get_info(&raw, error); });
    const std::string& file = library.file;
    EnvironmentInfo info;
    info.name = checked_name(file, raw.name);
    check_whole(file, "an observation_size", raw.observation_size, kLargestSize);
    check_whole(file, "an action_size", raw.action_size, kLargestSize);
    check_whole(file, "max_episode_steps", raw.max_episode_steps,
                std::numeric_limits<std::int64_t>::max());
    check_bounds(file, raw);
    if (!std::isfinite(raw.step_seconds) || raw.step_seconds < 0) {
        refuse(file, fmt::format("expected step_seconds of 0 or more, got {}", raw.step_seconds));
    }
    info.observation_size = raw.observation_size;
    info.action_size = raw.action_size;
    info.action_low.assign(raw.action_low, raw.action_low + raw.action_size);
    info.action_high.assign(raw.action_high, raw.action_high + raw.action_size);
    info.max_episode_steps = raw.max_episode_steps;
    info.step_seconds = raw.step_seconds;
    if (raw.has_references != 0) {
        if (!std::isfinite(raw.reference_min) || !std::isfinite(raw.reference_max) ||
            raw.reference_min >= raw.reference_max) {
            refuse(file, fmt::format("expected finite references with min < max, got {} and {}",
                                     raw.reference_min, raw.reference_max));
        }
        info.reference_min = raw.reference_min;
        info.reference_max = raw.reference_max;
        info.score_note = fmt::format("the references are those of {}", file);
    }
    return info;
}

std::string sizes_of(const EnvironmentInfo& info) {
    return fmt::format("{} ({} observations, {} actions, {} steps)", info.name,
                       info.observation_size, info.action_size, info.max_episode_steps);
}

// The library's info, which must be the first that it gave: whoever holds that one makes room by
// it.
EnvironmentInfo constant_info(Library& library) {
    EnvironmentInfo info = checked_info(library);
    info.provenance["env_sha256"] = library.sha256;
    const std::lock_guard guard(libraries_mutex);
    if (!library.info) library.info = info;
    if (info == *library.info) return info;
    refuse(library.file,
           fmt::format("expected the same info at every call of drydock_environment_get_info, got "
                       "{} first and {} now, with other sizes, bounds, step_seconds or references",
                       sizes_of(*library.info), sizes_of(info)));
}

class Plugin final : public Environment {
  public:
    explicit Plugin(Library& library) : library_(library), info_(constant_info(library)) {
        call(library_.file, "drydock_environment_create",
             [&](drydock_environment_error* error) { return library_.create(&object_, error); });
        if (object_ == nullptr) {
            refuse(library_.file, "expected an object from drydock_environment_create, got null");
        }
    }
    ~Plugin() override {
        if (object_ != nullptr) library_.destroy(object_);
    }
    Plugin(const Plugin&) = delete;
    Plugin& operator=(const Plugin&) = delete;

    const EnvironmentInfo& info() const override { return info_; }

    void reset(std::uint64_t seed, std::uint64_t episode, std::span<float> observation) override {
        running_ = false;
        expect_room(observation);
        call(library_.file, "drydock_environment_reset", [&](drydock_environment_error* error) {
            return library_.reset(object_, seed, episode, observation.data(), error);
        });
        steps_ = 0;
        check_observation(observation, fmt::format("reset for episode {}", episode));
        running_ = true;
    }

    StepResult step(std::span<const float> action, std::span<float> observation) override {
        if (!running_) {
            refuse(library_.file,
                   "expected a running episode, got a step before reset or after the episode's "
                   "end; call reset first");
        }
        clip(action);
        expect_room(observation);
        running_ = false;  // until the step has proved good
        auto outcome = prepared<drydock_environment_outcome>();
        call(library_.file, "drydock_environment_step", [&](drydock_environment_error* error) {
            return library_.step(object_, clipped_.data(), observation.data(), &outcome, error);
        });
        ++steps_;
        check_observation(observation, fmt::format("step {} of an episode", steps_));
        if (!(std::fabs(outcome.reward) <= double{std::numeric_limits<float>::max()})) {
            refuse(library_.file, fmt::format("expected a finite reward within a float's range "
                                              "from step {} of an episode, got {}",
                                              steps_, outcome.reward));
        }
        StepResult result{outcome.reward, outcome.terminal != 0, false};
        // Where the task ended, nothing was cut.
        result.timeout =
            !result.terminal && (outcome.timeout != 0 || steps_ >= info_.max_episode_steps);
        running_ = !result.terminal && !result.timeout;
        return result;
    }

  private:
    // A number that the library then does not write is found.
    void expect_room(std::span<float> observation) const {
        if (static_cast<std::int64_t>(observation.size()) != info_.observation_size) {
            refuse(library_.file, fmt::format("expected room for {} observations, got {}",
                                              info_.observation_size, observation.size()));
        }
        std::fill(observation.begin(), observation.end(), std::numeric_limits<float>::quiet_NaN());
    }

    void check_observation(std::span<const float> observation, const std::string& place) const {
        for (std::size_t i = 0; i < observation.size(); ++i) {
            if (std::isfinite(observation[i])) continue;
            refuse(library_.file,
                   fmt::format("expected finite observations from {}, got {} in place {} (nan also "
                               "where the library wrote nothing)",
                               place, observation[i], i));
        }
    }

    void clip(std::span<const float> action) {
        if (static_cast<std::int64_t>(action.size()) != info_.action_size) {
            refuse(library_.file,
                   fmt::format("expected {} action(s), got {}", info_.action_size, action.size()));
        }
        clipped_.assign(action.begin(), action.end());
        for (std::size_t j = 0; j < clipped_.size(); ++j) {
            if (!std::isfinite(clipped_[j])) {
                refuse(library_.file,
                       fmt::format("expected finite actions, got {} in place {}", clipped_[j], j));
            }
            clipped_[j] = std::clamp(clipped_[j], info_.action_low[j], info_.action_high[j]);
        }
    }

    const Library& library_;
    EnvironmentInfo info_;
    drydock_environment* object_ = nullptr;
    std::vector<float> clipped_;
    std::int64_t steps_ = 0;
    bool running_ = false;
};

}  // namespace

bool is_plugin(const std::string& name) {
    return name.find('/') != std::string::npos || name.ends_with(".so");
}

std::string plugin_file(const std::string& name) {
    return name.find('/') == std::string::npos ? "./" + name : name;
}

std::unique_ptr<Environment> make_plugin(const std::string& name) {
    Library& library = loaded(plugin_file(name));
    check_version(library);
    return std::make_unique<Plugin>(library);
}

}  // namespace drydock::envs
