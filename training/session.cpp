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
      device_(options.device ? *options.device : Device::cpu(options.threads, options.isa)) {
    recipe.fit(observation_size, action_size);
    state_ = std::make_unique<State>(device_, options.real, options.metric_rows);
    state_->counters().seed = options.seed;
    windows_ = recipe.windows();
    algorithm_ = recipe.make(*state_);
    algorithm_->initialize(options.seed);
}

Session::~Session() = default;

void Session::add_data(data::Transitions t) {
    if (t.observation_size != observation_size_ || t.action_size != action_size_) {
        throw Error(fmt::format("[session] expected {} observations and {} actions, got {} and {}",
                                observation_size_, action_size_, t.observation_size,
                                t.action_size));
    }
    if (windows_) {
        window_columns_.emplace(*state_, std::move(t), *windows_);
        return;
    }
    const std::int64_t n = t.count;
    const auto add = [&](Column column, const char* name, const Shape& shape,
                         std::vector<float>& values) {
        columns_[column] = state_->adopt_column(name, shape, std::move(values));
    };
    add(kObservations, "data.observations", {n, observation_size_}, t.observations);
    add(kActions, "data.actions", {n, action_size_}, t.actions);
    state_->counters().dataset_size = n;
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

void Session::record_update() {
    if (columns_[0] < 0 && !window_columns_)
        throw Error("[session] no data: call add_data before record_update");
    ExecutableOptions options;
    options.check_numerics = check_numerics_;
    updates_ = std::make_unique<Executable>(*state_, options);
    for (std::size_t variant = 0; variant < algorithm_->variants(); ++variant) {
        Program program = record(*state_, [&](Graph& g) {
            if (window_columns_) {
                return algorithm_->record(g, window_columns_->record(g, batch_size_), variant);
            }
            const Tensor rows = g.random_rows("batch", batch_size_);
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
