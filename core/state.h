// The persistent memory of a run: parameters, gradients, moments, targets, the hyper block, metrics
// and data columns. It outlives programs, never moves, and is all that a checkpoint has to hold.
#pragma once

#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/arena.h"
#include "core/device.h"
#include "core/shape.h"
#include "kernels/api/hyper.h"

namespace drydock {

class State;

using BufferId = std::int32_t;

// A named array in persistent memory.
struct Buffer {
    std::string name;
    DType dtype;
    Shape shape;
    void* data;
};

// How a parameter gets its first values; fan_in is the last dimension of a weight.
enum class Initializer : std::uint8_t {
    zeros,
    ones,             // gain times one
    pytorch_default,  // U(-1/sqrt(fan_in), 1/sqrt(fan_in)): torch.nn.Linear, weight and bias
    orthogonal,       // semi-orthogonal rows or columns times gain (Saxe et al. 2014)
    xavier,           // U(-b, b), b = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)
    normal,           // N(0, gain^2)
    uniform,          // U(-gain, gain)
    fan_out,          // U(-gain/sqrt(fan_out), gain/sqrt(fan_out)): rlkit's hidden layers
};

struct ParameterSpec {
    std::string name;  // as in files: "q1.layers.0.weight"
    Shape shape;
    Initializer initializer;
    double gain = 1.0;
    std::int64_t fan_in = 0;  // for biases; 0 takes the last dimension of `shape`
};

// How a group is optimised. Names and defaults are PyTorch's Adam and AdamW.
struct OptimizerSettings {
    double learning_rate = 3e-4;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.0;   // decoupled, as AdamW
    double gradient_clip = 0.0;  // global norm; 0 does not clip
    kernels::Schedule schedule = kernels::Schedule::constant;
    double horizon = 0.0;  // cosine: max_steps; warmup: warmup_steps
};

// Parameters that are stepped together. All parameters of a group are one flat buffer, each at a
// multiple of kAlignment; so are the gradients and both moments. The padding between is zero and
// stays zero.
class ParameterGroup {
  public:
    ParameterGroup(State& state, std::string name, bool trainable);

    // Adds a parameter; all are added before the first graph uses the group. Returns its index.
    int add(ParameterSpec spec);
    // May be called again between replays; gradient_clip is fixed once a step was recorded.
    void set_optimizer(const OptimizerSettings& settings);
    void note_step_recorded() { step_recorded_ = true; }
    // Throws Error unless the other group has the same shapes in the same order.
    void check_same_layout(const ParameterGroup& other) const;

    const std::string& name() const { return name_; }
    bool trainable() const { return trainable_; }
    State& state() const { return state_; }
    int count() const { return static_cast<int>(specs_.size()); }
    const ParameterSpec& spec(int index) const { return specs_[static_cast<std::size_t>(index)]; }
    std::int64_t offset(int index) const { return offsets_[static_cast<std::size_t>(index)]; }
    std::int64_t size() const { return size_; }  // elements of the flat buffers
    const OptimizerSettings& optimizer() const { return optimizer_; }

    // The flat buffers; the first call fixes the layout. Those but parameters() are of trainable
    // groups only.
    BufferId parameters();
    BufferId gradients();
    BufferId first_moments();
    BufferId second_moments();
    BufferId hyper();

    // First values of all parameters, each from the stream "init/NAME" of `seed`.
    void initialize(std::uint64_t seed);
    // Takes the values of a group with the same shapes.
    void copy_from(ParameterGroup& source);
    // Copies one parameter out of or into the group, converting between f64 and the group's type.
    std::vector<double> read(int index);
    void write(int index, std::span<const double> values);

  private:
    void allocate();

    State& state_;
    std::string name_;
    bool trainable_;
    OptimizerSettings optimizer_;
    std::vector<ParameterSpec> specs_;
    std::vector<std::int64_t> offsets_;
    std::int64_t size_ = 0;
    bool step_recorded_ = false;
    BufferId buffers_[5] = {-1, -1, -1, -1, -1};
};

class State {
  public:
    // `real` is the type of all parameters and activations: f32, or f64 on the portable path.
    explicit State(const Device& device, DType real = DType::f32, std::int64_t metric_rows = 1024);

    const Device& device() const { return device_; }
    DType real() const { return real_; }

    // A new zeroed buffer. Throws Error when the name is taken.
    BufferId add_buffer(const std::string& name, DType dtype, const Shape& shape);
    const Buffer& buffer(BufferId id) const { return buffers_[static_cast<std::size_t>(id)]; }
    int buffer_count() const { return static_cast<int>(buffers_.size()); }

    // Converts f32 values into a new buffer of the real type.
    BufferId add_column(const std::string& name, const Shape& shape, std::span<const float> values);
    // The same from f64 values.
    BufferId add_column(const std::string& name, const Shape& shape,
                        std::span<const double> values);

    // The same without a copy where the real type is f32: the vector's memory becomes the column,
    // aligned for its elements and no further, which is enough for gather_rows. In f64 the values
    // are converted and the vector is freed.
    BufferId adopt_column(const std::string& name, const Shape& shape, std::vector<float>&& values);

    // The memory of another state's buffer under its own name here: columns that several states
    // read. The other state must outlive this one.
    BufferId share_column(const Buffer& buffer);

    // A new group; the reference stays valid.
    ParameterGroup& add_group(const std::string& name, bool trainable = true);
    std::deque<ParameterGroup>& groups() { return groups_; }

    // The counters of the hyper block: step, seed, data-set size.
    kernels::Counters& counters() const;
    BufferId counters_buffer() const { return counters_; }

    // --- Metrics: a ring with a row per update and a column per name. ---
    static constexpr int kMaxMetrics = 32;
    // The column of a metric, added when it is new. Throws Error past kMaxMetrics.
    int metric_column(const std::string& name);
    const std::vector<std::string>& metric_names() const { return metric_names_; }
    std::int64_t metric_rows() const { return metric_rows_; }  // updates that the ring keeps
    BufferId metrics_ring() const { return metrics_ring_; }
    // The value of a metric at update k, one of the last metric_rows().
    double metric(int column, std::int64_t k) const;

    // Draws of the stream `name` at step k are row k of `table` (steps, ...) instead of random
    // numbers: how a recorded trace is replayed. i64 for index streams, else the real type.
    void inject_stream(const std::string& name, BufferId table) { injected_[name] = table; }
    // The table injected for a stream, or -1.
    BufferId injected(const std::string& name) const;

  private:
    BufferId add_named(const std::string& name, DType dtype, const Shape& shape, void* data);
    void check_name(const std::string& name) const;
    static void check_count(const std::string& name, const Shape& shape, std::size_t count);

    const Device& device_;
    DType real_;
    Arena arena_;
    std::deque<Buffer> buffers_;
    std::vector<std::vector<float>> adopted_;  // columns that live outside of the arena
    std::map<std::string, BufferId> names_;
    std::deque<ParameterGroup> groups_;
    std::map<std::string, BufferId> injected_;
    std::vector<std::string> metric_names_;
    std::int64_t metric_rows_;
    BufferId counters_, metrics_ring_;
};

}  // namespace drydock
