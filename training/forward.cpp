#include "training/forward.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "core/ops/ops.h"

namespace drydock::training {
namespace {

constexpr std::int64_t kRows = 64;  // at once

// The first numbers of a buffer of the real type, and zeros behind them.
void fill_buffer(const Buffer& buffer, std::span<const float> values) {
    const auto total = static_cast<std::size_t>(buffer.shape.size());
    for (std::size_t i = 0; i < total; ++i) {
        const float x = i < values.size() ? values[i] : 0.0f;
        if (buffer.dtype == DType::f32) {
            static_cast<float*>(buffer.data)[i] = x;
        } else {
            static_cast<double*>(buffer.data)[i] = double{x};
        }
    }
}

// Every program ends in a tick; this one is no update.
void run_outside_of_updates(State& state, Executable& executable) {
    const std::int64_t step = state.counters().step;
    state.counters().step = 0;
    executable.run(1);
    state.counters().step = step;
}

}  // namespace

Forward::Forward(State& state, const std::string& name, std::int64_t observation_size,
                 const std::function<Tensor(Graph&, Tensor)>& build)
    : state_(state),
      width_(static_cast<std::size_t>(observation_size)),
      observations_(state.add_buffer(name, state.real(), {kRows, observation_size})),
      executable_(state) {
    executable_.add(record(state, [&](Graph& g) {
        const Tensor out = contiguous(build(g, g.buffer(observations_)));
        g.keep(out);
        out_ = out.id();
        columns_ = static_cast<std::size_t>(out.size() / kRows);
    }));
}

std::vector<float> Forward::operator()(std::span<const float> observations) {
    const std::size_t rows = observations.size() / width_;
    std::vector<float> result;
    for (std::size_t first = 0; first < rows; first += kRows) {
        const std::size_t n = std::min<std::size_t>(kRows, rows - first);
        fill_buffer(state_.buffer(observations_), observations.subspan(first * width_, n * width_));
        run_outside_of_updates(state_, executable_);
        const std::vector<double> out = executable_.read(out_);
        for (std::size_t i = 0; i < n * columns_; ++i) result.push_back(static_cast<float>(out[i]));
    }
    return result;
}

WindowForward::WindowForward(State& state, algorithms::Algorithm& algorithm,
                             const algorithms::WindowSpec& spec, std::int64_t observation_size,
                             std::int64_t action_size)
    : state_(state),
      spec_(spec),
      observation_size_(observation_size),
      action_size_(action_size),
      executable_(state) {
    const std::int64_t K = spec.context_length;
    const auto add = [&](const char* name, DType dtype, const Shape& shape) {
        return state.add_buffer(std::string("act.window.") + name, dtype, shape);
    };
    observations_ = add("observations", state.real(), {1, K, observation_size});
    actions_ = add("actions", state.real(), {1, K, action_size});
    returns_to_go_ = add("returns_to_go", state.real(), {1, K});
    timesteps_ = add("timesteps", DType::i64, {1, K});
    mask_ = add("mask", state.real(), {1, K});
    executable_.add(record(state, [&](Graph& g) {
        algorithms::Batch b{g.buffer(observations_), g.buffer(actions_), {}, {}, {}};
        b.returns_to_go = g.buffer(returns_to_go_);
        b.timesteps = g.buffer(timesteps_);
        b.mask = g.buffer(mask_);
        const Tensor out = contiguous(algorithm.act_windows(g, b));
        g.keep(out);
        out_ = out.id();
    }));
}

void WindowForward::check(const Window& w) const {
    const auto n = static_cast<std::int64_t>(w.returns_to_go.size());
    const auto holds = [n](std::size_t size, std::int64_t width) {
        return static_cast<std::int64_t>(size) == n * width;
    };
    if (n >= 1 && n <= spec_.context_length && holds(w.observations.size(), observation_size_) &&
        holds(w.actions.size(), action_size_) && holds(w.timesteps.size(), 1)) {
        return;
    }
    throw Error(fmt::format(
        "[session] expected a window of 1 to {} steps, got {} returns-to-go with {} "
        "observations' and {} actions' numbers and {} time steps",
        spec_.context_length, n, w.observations.size(), w.actions.size(), w.timesteps.size()));
}

std::vector<float> WindowForward::operator()(const Window& w) {
    check(w);
    const std::size_t n = w.returns_to_go.size();
    fill_buffer(state_.buffer(observations_), w.observations);
    fill_buffer(state_.buffer(actions_), w.actions);
    fill_buffer(state_.buffer(returns_to_go_), w.returns_to_go);
    fill_buffer(state_.buffer(mask_), std::vector<float>(n, 1.0f));  // padding is on the right
    auto* timesteps = static_cast<std::int64_t*>(state_.buffer(timesteps_).data);
    std::fill_n(timesteps, spec_.context_length, 0);
    for (std::size_t i = 0; i < n; ++i) {
        timesteps[i] = std::min(w.timesteps[i], spec_.last_timestep);
    }
    run_outside_of_updates(state_, executable_);
    const std::vector<double> all = executable_.read(out_);
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(n) * action_size_;
    std::vector<float> actions;
    for (auto x = all.begin(); x != end; ++x) actions.push_back(static_cast<float>(*x));
    return actions;
}

}  // namespace drydock::training
