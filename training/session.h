// A run in memory: device, state, networks, data columns and the recorded update.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "core/executable.h"
#include "data/transitions.h"

namespace drydock::training {

struct SessionOptions {
    int threads = 0;  // 0: all cores
    std::string isa;  // "": DRYDOCK_ISA, or the best there is
    DType real = DType::f32;
    std::uint64_t seed = 0;
    std::int64_t metric_rows = 1024;  // updates that the metric ring keeps
    bool check_numerics = false;
};

class Session {
  public:
    // Makes the state and the networks, first values drawn from the seed. Fits `recipe` to the
    // sizes.
    Session(algorithms::Recipe& recipe, std::int64_t observation_size, std::int64_t action_size,
            const SessionOptions& options);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Makes the transitions the device's columns; once. In fp32 they are taken as they are: give
    // them with std::move, or a copy is made.
    void add_data(data::Transitions transitions);
    // Records and plans the update; once, after add_data. Streams are injected before it.
    void record_update();
    // Runs n updates. Throws Error under check_numerics when a value is not finite.
    void run(std::int64_t n) { updates_->run(n); }

    // A metric of update k, one of the last metric_rows(); nothing where the variant of that update
    // does not have it.
    std::optional<double> metric(int column, std::int64_t k) const;

    // The actions in [-1, 1] of normalised observations (n, observation_size), by the batched
    // forward pass of the engine. Leaves the step counter as it is.
    std::vector<float> act(std::span<const float> observations);

    // One window of an algorithm that reads windows of episodes: its steps, of which the last has
    // an observation and no action yet.
    struct Window {
        std::span<const float> observations;   // (steps, observation_size), normalised
        std::span<const float> actions;        // (steps - 1, action_size), in [-1, 1]
        std::span<const float> returns_to_go;  // (steps), scaled
        std::int64_t first_step = 0;           // of the episode, counted from 0
    };
    // The action of the window's last step, in [-1, 1]. Time steps from `episode_len` on are taken
    // for the one before it. `context_length` is the same in all calls.
    std::vector<float> act_window(const Window& window, std::int64_t context_length,
                                  std::int64_t episode_len);

    State& state() { return *state_; }
    const Device& device() const { return device_; }
    algorithms::Algorithm& algorithm() { return *algorithm_; }
    Executable& updates() { return *updates_; }
    std::int64_t step() const { return state_->counters().step; }
    std::int64_t metric_rows() const { return state_->metric_rows(); }
    std::int64_t observation_size() const { return observation_size_; }
    std::int64_t action_size() const { return action_size_; }

  private:
    std::int64_t observation_size_, action_size_, batch_size_;
    bool check_numerics_, reads_outcomes_;
    Device device_;
    std::unique_ptr<State> state_;
    std::unique_ptr<algorithms::Algorithm> algorithm_;
    std::unique_ptr<Executable> updates_;
    std::vector<std::set<int>> metrics_of_variant_;  // columns
    BufferId columns_[5] = {-1, -1, -1, -1, -1};
    struct Forward;
    std::unique_ptr<Forward> forward_;                                  // made by the first act()
    struct WindowForward;                                               // session_windows.cpp
    std::unique_ptr<WindowForward, void (*)(WindowForward*)> windows_;  // by the first act_window()
};

// Where a parameter lives.
struct ParameterRef {
    ParameterGroup* group;
    int index;
    const ParameterSpec& spec() const { return group->spec(index); }
};
// The parameter of that name, or nothing.
std::optional<ParameterRef> find_parameter(State& state, const std::string& name);

}  // namespace drydock::training
