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
#include "training/forward.h"
#include "training/windows.h"

namespace drydock::training {

struct SessionOptions {
    int threads = 0;               // 0: all cores
    std::string isa;               // "": DRYDOCK_ISA, or the best there is
    std::optional<Device> device;  // instead of both: one that sessions share
    DType real = DType::f32;
    kernels::Precision precision = kernels::Precision::full;  // of the updates' products
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

    // Makes the transitions, or the sequences where the recipe reads windows, the device's columns;
    // once. In fp32 they are taken as they are: give
    // them with std::move, or a copy is made. `room` is how many rows append() may add.
    void add_data(data::Transitions transitions, std::int64_t room = 0);
    // The same columns as another session's, which must outlive this one.
    void share_data(const Session& other);
    // Records and plans the update; once, after add_data. Streams are injected before it. With
    // `rows_given`, a batch is not drawn: it is what batch_rows() holds.
    void record_update(bool rows_given = false);
    // Runs n updates. Throws Error under check_numerics when a value is not finite.
    void run(std::int64_t n) { updates_->run(n); }

    // One more row of the data, as add_data takes them; for a recipe that reads outcomes. Batches
    // are drawn from it from the next update on. Throws Error when there is no room.
    struct Row {
        std::span<const float> observation, action, next_observation;
        float reward = 0, terminal = 0;
    };
    void append(const Row& row);
    // Rows from `first` on of what append() and add_data() put there, in f32.
    data::Transitions rows_from(std::int64_t first) const;
    std::int64_t rows() const { return state_->counters().dataset_size; }
    // With rows_given: the rows of the next update's batch, to be written.
    std::span<std::int64_t> batch_rows();

    // A metric of update k, one of the last metric_rows(); nothing where the variant of that update
    // does not have it.
    std::optional<double> metric(int column, std::int64_t k) const;

    // The actions in [-1, 1] of normalised observations (n, observation_size), by the batched
    // forward pass of the engine. Leaves the step counter as it is.
    std::vector<float> act(std::span<const float> observations);

    // The action, within [-1, 1], that online collection takes; `noise` is standard normal.
    std::vector<float> explore(std::span<const float> observation, std::span<const float> noise);

    // What the critics expect from normalised observations on, see Algorithm::value.
    std::vector<float> value(std::span<const float> observations);
    // The same of an algorithm that reads windows, for one of up to context_length steps: the
    // action of every step, (n, action_size).
    std::vector<float> act_window(const Window& window);

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
    kernels::Precision precision_;
    Device device_;
    std::unique_ptr<State> state_;
    std::unique_ptr<algorithms::Algorithm> algorithm_;
    std::unique_ptr<Executable> updates_;
    std::vector<std::set<int>> metrics_of_variant_;  // columns
    BufferId columns_[5] = {-1, -1, -1, -1, -1};
    BufferId given_rows_ = -1;
    std::int64_t capacity_ = 0;
    std::optional<algorithms::WindowSpec> windows_;
    std::optional<WindowColumns> window_columns_;
    std::unique_ptr<Forward> act_, value_, explore_;  // made by the first call
    std::unique_ptr<WindowForward> act_window_;
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
