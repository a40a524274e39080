#include "training/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "core/ops/ops.h"

namespace drydock::training {
namespace {

enum Column { kObservations, kActions, kRewards, kNextObservations, kTerminals };

std::set<int> stored_metrics(const Program& program) {
    std::set<int> columns;
    for (const Node& node : program.nodes) {
        if (node.op == Op::store_metric) columns.insert(static_cast<int>(node.attributes.n));
    }
    return columns;
}

}  // namespace

Session::Session(algorithms::Recipe& recipe, std::int64_t observation_size,
                 std::int64_t action_size, const SessionOptions& options)
    : observation_size_(observation_size),
      action_size_(action_size),
      batch_size_(recipe.common().batch_size),
      check_numerics_(options.check_numerics),
      reads_outcomes_(recipe.reads_outcomes()),
      precision_(options.precision),
      device_(options.device ? *options.device
                             : Device::cpu(options.threads, options.isa, options.precision)) {
    recipe.fit(observation_size, action_size);
    state_ = std::make_unique<State>(device_, options.real, options.metric_rows);
    state_->counters().seed = options.seed;
    windows_ = recipe.windows();
    algorithm_ = recipe.make(*state_);
    algorithm_->initialize(options.seed);
}

Session::~Session() = default;

void Session::add_data(data::Transitions t, std::int64_t room) {
    if (t.observation_size != observation_size_ || t.action_size != action_size_) {
        throw Error(fmt::format("[session] expected {} observations and {} actions, got {} and {}",
                                observation_size_, action_size_, t.observation_size,
                                t.action_size));
    }
    if (windows_) {
        window_columns_.emplace(*state_, std::move(t), *windows_);
        return;
    }
    const std::int64_t n = capacity_ = t.count + room;
    const auto add = [&](Column column, const char* name, const Shape& shape,
                         std::vector<float>& values) {
        values.resize(static_cast<std::size_t>(shape.size()));
        columns_[column] = state_->adopt_column(name, shape, std::move(values));
    };
    add(kObservations, "data.observations", {n, observation_size_}, t.observations);
    add(kActions, "data.actions", {n, action_size_}, t.actions);
    state_->counters().dataset_size = t.count;
    if (!reads_outcomes_) return;
    add(kRewards, "data.rewards", {n}, t.rewards);
    add(kNextObservations, "data.next_observations", {n, observation_size_}, t.next_observations);
    add(kTerminals, "data.terminals", {n}, t.terminals);
}

void Session::share_data(const Session& other) {
    if (other.window_columns_) {
        window_columns_.emplace(*state_, *other.window_columns_, *other.state_);
    }
    for (std::size_t c = 0; c < std::size(columns_); ++c) {
        if (other.columns_[c] < 0) continue;
        columns_[c] = state_->share_column(other.state_->buffer(other.columns_[c]));
    }
    state_->counters().dataset_size = other.state_->counters().dataset_size;
}

void Session::append(const Row& row) {
    std::int64_t& count = state_->counters().dataset_size;
    if (count >= capacity_ || columns_[kRewards] < 0) {
        throw Error(fmt::format("[session] expected room for row {}, got room for {}", count + 1,
                                columns_[kRewards] < 0 ? 0 : capacity_));
    }
    const auto put = [&](Column column, std::span<const float> values) {
        const Buffer& buffer = state_->buffer(columns_[column]);
        const auto first = static_cast<std::size_t>(count) * values.size();
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (buffer.dtype == DType::f32) {
                static_cast<float*>(buffer.data)[first + i] = values[i];
            } else {
                static_cast<double*>(buffer.data)[first + i] = double{values[i]};
            }
        }
    };
    put(kObservations, row.observation);
    put(kActions, row.action);
    put(kRewards, {&row.reward, 1});
    put(kNextObservations, row.next_observation);
    put(kTerminals, {&row.terminal, 1});
    ++count;
}

data::Transitions Session::rows_from(std::int64_t first) const {
    data::Transitions t;
    t.count = rows() - first;
    t.observation_size = observation_size_;
    t.action_size = action_size_;
    const auto get = [&](Column column, std::int64_t width, std::vector<float>& values) {
        if (columns_[column] < 0) return;
        const Buffer& buffer = state_->buffer(columns_[column]);
        for (std::int64_t i = first * width; i < rows() * width; ++i) {
            values.push_back(buffer.dtype == DType::f32
                                 ? static_cast<const float*>(buffer.data)[i]
                                 : static_cast<float>(static_cast<const double*>(buffer.data)[i]));
        }
    };
    get(kObservations, observation_size_, t.observations);
    get(kActions, action_size_, t.actions);
    get(kRewards, 1, t.rewards);
    get(kNextObservations, observation_size_, t.next_observations);
    get(kTerminals, 1, t.terminals);
    return t;
}

std::span<std::int64_t> Session::batch_rows() {
    if (given_rows_ < 0) throw Error("[session] batches are drawn: record with rows_given");
    return {static_cast<std::int64_t*>(state_->buffer(given_rows_).data),
            static_cast<std::size_t>(batch_size_)};
}

void Session::record_update(bool rows_given) {
    if (columns_[0] < 0 && !window_columns_)
        throw Error("[session] no data: call add_data before record_update");
    if (rows_given) given_rows_ = state_->add_buffer("batch.rows", DType::i64, {batch_size_});
    ExecutableOptions options;
    options.check_numerics = check_numerics_;
    options.precision = precision_;
    updates_ = std::make_unique<Executable>(*state_, options);
    for (std::size_t variant = 0; variant < algorithm_->variants(); ++variant) {
        Program program = record(*state_, [&](Graph& g) {
            if (window_columns_) {
                return algorithm_->record(g, window_columns_->record(g, batch_size_), variant);
            }
            const Tensor rows =
                rows_given ? g.buffer(given_rows_) : g.random_rows("batch", batch_size_);
            const auto column = [&](Column c) {
                return columns_[c] < 0 ? Tensor() : gather_rows(g.buffer(columns_[c]), rows);
            };
            const algorithms::Batch batch{column(kObservations), column(kActions), column(kRewards),
                                          column(kNextObservations), column(kTerminals)};
            algorithm_->record(g, batch, variant);
        });
        metrics_of_variant_.push_back(stored_metrics(program));
        updates_->add(std::move(program));
    }
    updates_->set_schedule([this](std::int64_t k) { return algorithm_->variant_at(k); });
}

std::optional<double> Session::metric(int column, std::int64_t k) const {
    const std::size_t variant = algorithm_->variant_at(k);
    if (!metrics_of_variant_[variant].contains(column)) return std::nullopt;
    return state_->metric(column, k);
}

std::vector<float> Session::act(std::span<const float> observations) {
    if (!act_) {
        act_ =
            std::make_unique<Forward>(*state_, "act.observations", observation_size_,
                                      [this](Graph& g, Tensor o) { return algorithm_->act(g, o); });
    }
    return (*act_)(observations);
}

std::vector<float> Session::explore(std::span<const float> observation,
                                    std::span<const float> noise) {
    const std::int64_t s = observation_size_, a = action_size_;
    if (!explore_) {
        explore_ = std::make_unique<Forward>(
            *state_, "explore.input", s + a, [this, s, a](Graph& g, Tensor in) {
                const Tensor observations = contiguous(slice(in, 1, 0, s));
                const Tensor noise_of = contiguous(slice(in, 1, s, s + a));
                return clamp(algorithm_->explore(g, observations, noise_of), -1.0, 1.0);
            });
    }
    std::vector<float> input(observation.begin(), observation.end());
    input.insert(input.end(), noise.begin(), noise.end());
    return (*explore_)(input);
}

std::vector<float> Session::value(std::span<const float> observations) {
    if (!value_) {
        value_ = std::make_unique<Forward>(
            *state_, "value.observations", observation_size_,
            [this](Graph& g, Tensor o) { return algorithm_->value(g, o); });
    }
    return (*value_)(observations);
}

std::vector<float> Session::act_window(const Window& window) {
    if (!act_window_) {
        if (!windows_) throw Error("[session] the algorithm reads no windows; call act()");
        act_window_ = std::make_unique<WindowForward>(*state_, *algorithm_, *windows_,
                                                      observation_size_, action_size_);
    }
    return (*act_window_)(window);
}

std::optional<ParameterRef> find_parameter(State& state, const std::string& name) {
    for (ParameterGroup& group : state.groups()) {
        for (int i = 0; i < group.count(); ++i) {
            if (group.spec(i).name == name) return ParameterRef{&group, i};
        }
    }
    return std::nullopt;
}

}  // namespace drydock::training
