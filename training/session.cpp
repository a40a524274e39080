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

// The program of act(), for a fixed number of rows.
struct Session::Forward {
    static constexpr std::int64_t kRows = 64;
    BufferId observations;
    Executable executable;
    ValueId actions = kNone;

    explicit Forward(Session& session)
        : observations(session.state().add_buffer("act.observations", session.state().real(),
                                                  {kRows, session.observation_size()})),
          executable(session.state()) {
        executable.add(record(session.state(), [&](Graph& g) {
            const Tensor out = contiguous(session.algorithm().act(g, g.buffer(observations)));
            g.keep(out);
            actions = out.id();
        }));
    }
};

// The program of act_window(), for one window.
struct Session::WindowForward {
    std::int64_t K;
    BufferId observations, actions, returns_to_go, timesteps, mask;
    Executable executable;
    ValueId out = kNone;

    WindowForward(Session& session, std::int64_t length) : K(length), executable(session.state()) {
        State& state = session.state();
        const auto add = [&](const char* name, DType dtype, const Shape& shape) {
            return state.add_buffer(std::string("act.window.") + name, dtype, shape);
        };
        observations = add("observations", state.real(), {1, K, session.observation_size()});
        actions = add("actions", state.real(), {1, K, session.action_size()});
        returns_to_go = add("returns_to_go", state.real(), {1, K});
        timesteps = add("timesteps", DType::i64, {1, K});
        mask = add("mask", state.real(), {1, K});
        executable.add(record(state, [&](Graph& g) {
            algorithms::Batch b{g.buffer(observations), g.buffer(actions), {}, {}, {}};
            b.returns_to_go = g.buffer(returns_to_go);
            b.timesteps = g.buffer(timesteps);
            b.mask = g.buffer(mask);
            const Tensor y = contiguous(session.algorithm().act_windows(g, b));
            g.keep(y);
            out = y.id();
        }));
    }

    // The first numbers of a buffer, and zeros behind them: padding on the right.
    void fill(State& state, BufferId id, std::span<const float> values) const {
        const Buffer& b = state.buffer(id);
        const auto total = static_cast<std::size_t>(b.shape.size());
        for (std::size_t i = 0; i < total; ++i) {
            const float x = i < values.size() ? values[i] : 0.0f;
            if (b.dtype == DType::f32) {
                static_cast<float*>(b.data)[i] = x;
            } else {
                static_cast<double*>(b.data)[i] = double{x};
            }
        }
    }
};

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
    if (!forward_) forward_ = std::make_unique<Forward>(*this);
    const auto width = static_cast<std::size_t>(observation_size_);
    const std::size_t rows = observations.size() / width;
    std::vector<float> actions;
    const Buffer& input = state_->buffer(forward_->observations);
    const std::int64_t step = state_->counters().step;
    for (std::size_t first = 0; first < rows; first += Forward::kRows) {
        const std::size_t n = std::min<std::size_t>(Forward::kRows, rows - first);
        const std::span<const float> block = observations.subspan(first * width, n * width);
        if (state_->real() == DType::f32) {
            std::copy(block.begin(), block.end(), static_cast<float*>(input.data));
        } else {
            std::copy(block.begin(), block.end(), static_cast<double*>(input.data));
        }
        forward_->executable.run(1);
        state_->counters().step = step;  // every program ends in a tick
        const std::vector<double> out = forward_->executable.read(forward_->actions);
        for (std::size_t i = 0; i < n * static_cast<std::size_t>(action_size_); ++i) {
            actions.push_back(static_cast<float>(out[i]));
        }
    }
    return actions;
}

std::vector<float> Session::act_window(const Window& w) {
    const auto n = static_cast<std::int64_t>(w.returns_to_go.size());
    const std::int64_t most = windows_ ? windows_->context_length : 0;
    const auto size = [&](std::int64_t width) { return static_cast<std::size_t>(n * width); };
    if (n < 1 || n > most || w.observations.size() != size(observation_size_) ||
        w.actions.size() != size(action_size_) || w.timesteps.size() != size(1)) {
        throw Error(
            fmt::format("[session] expected a window of 1 to {} steps, got {} returns-to-go "
                        "with {} observations' and {} actions' numbers and {} time steps",
                        most, n, w.observations.size(), w.actions.size(), w.timesteps.size()));
    }
    if (!window_forward_) window_forward_ = std::make_unique<WindowForward>(*this, most);
    WindowForward& f = *window_forward_;
    f.fill(*state_, f.observations, w.observations);
    f.fill(*state_, f.actions, w.actions);
    f.fill(*state_, f.returns_to_go, w.returns_to_go);
    f.fill(*state_, f.mask, std::vector<float>(size(1), 1.0f));
    auto* timesteps = static_cast<std::int64_t*>(state_->buffer(f.timesteps).data);
    std::fill_n(timesteps, most, 0);
    for (std::size_t i = 0; i < w.timesteps.size(); ++i) {
        timesteps[i] = std::min(w.timesteps[i], windows_->last_timestep);
    }
    const std::int64_t step = state_->counters().step;
    f.executable.run(1);
    state_->counters().step = step;  // every program ends in a tick
    std::vector<float> out;
    const std::vector<double> all = f.executable.read(f.out);
    for (std::size_t i = 0; i < size(action_size_); ++i) out.push_back(static_cast<float>(all[i]));
    return out;
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
