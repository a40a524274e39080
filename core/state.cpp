#include "core/state.h"

#include <fmt/format.h>

#include <cstring>

#include "base/error.h"
#include "core/initialize.h"

namespace drydock {
namespace {

constexpr std::size_t kAddressRange = std::size_t{1} << 36;

template <class From, class To>
void convert(const From* from, void* to, std::int64_t n) {
    To* out = static_cast<To*>(to);
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<To>(from[i]);
}

template <class From>
void store_real(DType dtype, const From* from, void* to, std::int64_t n) {
    if (dtype == DType::f32) {
        convert<From, float>(from, to, n);
    } else {
        convert<From, double>(from, to, n);
    }
}

std::byte* element(const Buffer& buffer, std::int64_t offset) {
    return static_cast<std::byte*>(buffer.data) +
           offset * static_cast<std::int64_t>(size_of(buffer.dtype));
}

}  // namespace

State::State(const Device& device, DType real, std::int64_t metric_rows)
    : device_(device), real_(real), arena_(kAddressRange), metric_rows_(metric_rows) {
    counters_ = add_buffer("counters", DType::i64, {sizeof(kernels::Counters) / 8});
    metrics_ring_ = add_buffer("metrics", real, {metric_rows, kMaxMetrics});
}

BufferId State::add_buffer(const std::string& name, DType dtype, const Shape& shape) {
    check_name(name);
    const std::size_t bytes = static_cast<std::size_t>(shape.size()) * size_of(dtype);
    return add_named(name, dtype, shape, arena_.allocate(bytes));
}

BufferId State::add_named(const std::string& name, DType dtype, const Shape& shape, void* data) {
    const auto id = static_cast<BufferId>(buffers_.size());
    names_.emplace(name, id);
    buffers_.push_back({name, dtype, shape, data});
    return id;
}

void State::check_name(const std::string& name) const {
    if (!names_.contains(name)) return;
    throw Error(fmt::format("[state] a buffer named '{}' exists already", name));
}

void State::check_count(const std::string& name, const Shape& shape, std::size_t count) {
    if (static_cast<std::size_t>(shape.size()) == count) return;
    throw Error(fmt::format("[state] expected {} values for column '{}' {}, got {}", shape.size(),
                            name, to_string(shape), count));
}

BufferId State::add_column(const std::string& name, const Shape& shape,
                           std::span<const float> values) {
    check_count(name, shape, values.size());
    const BufferId id = add_buffer(name, real_, shape);
    store_real(real_, values.data(), buffer(id).data, shape.size());
    return id;
}

BufferId State::add_column(const std::string& name, const Shape& shape,
                           std::span<const double> values) {
    check_count(name, shape, values.size());
    const BufferId id = add_buffer(name, real_, shape);
    store_real(real_, values.data(), buffer(id).data, shape.size());
    return id;
}

BufferId State::share_column(const Buffer& buffer) {
    check_name(buffer.name);
    return add_named(buffer.name, buffer.dtype, buffer.shape, buffer.data);
}

BufferId State::adopt_column(const std::string& name, const Shape& shape,
                             std::vector<float>&& values) {
    if (real_ != DType::f32) {
        const std::vector<float> taken = std::move(values);
        return add_column(name, shape, std::span<const float>(taken));
    }
    check_count(name, shape, values.size());
    check_name(name);
    return add_named(name, real_, shape, adopted_.emplace_back(std::move(values)).data());
}

ParameterGroup& State::add_group(const std::string& name, bool trainable) {
    return groups_.emplace_back(*this, name, trainable);
}

kernels::Counters& State::counters() const {
    return *static_cast<kernels::Counters*>(buffer(counters_).data);
}

int State::metric_column(const std::string& name) {
    for (std::size_t i = 0; i < metric_names_.size(); ++i) {
        if (metric_names_[i] == name) return static_cast<int>(i);
    }
    if (metric_names_.size() == kMaxMetrics) {
        throw Error(
            fmt::format("[metric] expected at most {} metrics, got '{}' too", kMaxMetrics, name));
    }
    metric_names_.push_back(name);
    return static_cast<int>(metric_names_.size()) - 1;
}

double State::metric(int column, std::int64_t k) const {
    const Buffer& ring = buffer(metrics_ring_);
    const std::int64_t i = k % metric_rows_ * kMaxMetrics + column;
    return real_ == DType::f32 ? static_cast<double>(static_cast<const float*>(ring.data)[i])
                               : static_cast<const double*>(ring.data)[i];
}

BufferId State::injected(const std::string& name) const {
    const auto found = injected_.find(name);
    return found == injected_.end() ? -1 : found->second;
}

ParameterGroup::ParameterGroup(State& state, std::string name, bool trainable)
    : state_(state), name_(std::move(name)), trainable_(trainable) {}

int ParameterGroup::add(ParameterSpec spec) {
    if (buffers_[0] >= 0) {
        throw Error(
            fmt::format("[{}] parameter '{}' was added after the group was first used; add "
                        "all parameters before recording",
                        name_, spec.name));
    }
    for (const ParameterGroup& group : state_.groups()) {
        for (const ParameterSpec& other : group.specs_) {
            if (other.name == spec.name) {
                throw Error(fmt::format("[{}] a parameter named '{}' exists already in group '{}'",
                                        name_, spec.name, group.name_));
            }
        }
    }
    const bool matrix =
        spec.initializer == Initializer::orthogonal || spec.initializer == Initializer::xavier;
    if (matrix && (spec.shape.rank() < 2 || spec.shape.size() == 0)) {
        throw Error(fmt::format("[{}] expected a matrix for this initialiser of '{}', got {}",
                                name_, spec.name, to_string(spec.shape)));
    }
    const std::int64_t align = static_cast<std::int64_t>(kAlignment / size_of(state_.real()));
    offsets_.push_back(size_);
    size_ += (spec.shape.size() + align - 1) / align * align;
    specs_.push_back(std::move(spec));
    return count() - 1;
}

void ParameterGroup::allocate() {
    if (buffers_[0] >= 0) return;
    const Shape flat{size_};
    const DType real = state_.real();
    buffers_[0] = state_.add_buffer(name_ + ".parameters", real, flat);
    if (!trainable_) return;
    buffers_[1] = state_.add_buffer(name_ + ".gradients", real, flat);
    buffers_[2] = state_.add_buffer(name_ + ".first_moments", real, flat);
    buffers_[3] = state_.add_buffer(name_ + ".second_moments", real, flat);
    buffers_[4] = state_.add_buffer(name_ + ".hyper", DType::f64,
                                    {sizeof(kernels::OptimizerHyper) / sizeof(double)});
    set_optimizer(optimizer_);
}

void ParameterGroup::set_optimizer(const OptimizerSettings& settings) {
    if (step_recorded_ && settings.gradient_clip != optimizer_.gradient_clip) {
        throw Error(
            fmt::format("[{}] gradient_clip is part of recorded programs; set it before "
                        "recording",
                        name_));
    }
    optimizer_ = settings;
    if (buffers_[4] < 0) return;
    auto& h = *static_cast<kernels::OptimizerHyper*>(state_.buffer(buffers_[4]).data);
    h.learning_rate = settings.learning_rate;
    h.beta1 = settings.beta1;
    h.beta2 = settings.beta2;
    h.epsilon = settings.epsilon;
    h.weight_decay = settings.weight_decay;
    h.schedule = settings.schedule;
    h.horizon = settings.horizon;
    if (h.t == 0) h.beta1_power = h.beta2_power = 1.0;
}

BufferId ParameterGroup::parameters() { return allocate(), buffers_[0]; }
BufferId ParameterGroup::gradients() { return allocate(), buffers_[1]; }
BufferId ParameterGroup::first_moments() { return allocate(), buffers_[2]; }
BufferId ParameterGroup::second_moments() { return allocate(), buffers_[3]; }
BufferId ParameterGroup::hyper() { return allocate(), buffers_[4]; }

void ParameterGroup::initialize(std::uint64_t seed) {
    for (int i = 0; i < count(); ++i) write(i, initial_values(spec(i), seed));
}

void ParameterGroup::check_same_layout(const ParameterGroup& other) const {
    bool same = other.count() == count();
    for (int i = 0; same && i < count(); ++i) same = spec(i).shape == other.spec(i).shape;
    if (same) return;
    throw Error(fmt::format("[{}] expected a group of the same parameters' shapes, '{}' has others",
                            name_, other.name()));
}

void ParameterGroup::copy_from(ParameterGroup& source) {
    check_same_layout(source);
    const Buffer& to = state_.buffer(parameters());
    std::memcpy(to.data, state_.buffer(source.parameters()).data,
                static_cast<std::size_t>(size_) * size_of(to.dtype));
}

std::vector<double> ParameterGroup::read(int index) {
    const Buffer& b = state_.buffer(parameters());
    const std::int64_t n = spec(index).shape.size();
    std::vector<double> values(static_cast<std::size_t>(n));
    const std::byte* from = element(b, offset(index));
    if (b.dtype == DType::f32) {
        convert<float, double>(reinterpret_cast<const float*>(from), values.data(), n);
    } else {
        std::memcpy(values.data(), from, static_cast<std::size_t>(n) * sizeof(double));
    }
    return values;
}

void ParameterGroup::write(int index, std::span<const double> values) {
    const Buffer& b = state_.buffer(parameters());
    const std::int64_t n = spec(index).shape.size();
    if (static_cast<std::int64_t>(values.size()) != n) {
        throw Error(fmt::format("[{}] expected {} values for '{}' {}, got {}", name_, n,
                                spec(index).name, to_string(spec(index).shape), values.size()));
    }
    store_real(b.dtype, values.data(), element(b, offset(index)), n);
}

}  // namespace drydock
