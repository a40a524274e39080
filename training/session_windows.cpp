// The action at the end of a window, by the engine's own forward pass.
#include "base/error.h"
#include "core/ops/ops.h"
#include "training/session.h"

namespace drydock::training {
namespace {

// Writes the values to the buffer's front, zeros behind them.
void fill(State& state, BufferId id, std::span<const float> values, std::int64_t size) {
    const auto put = [&](auto* to) {
        for (std::int64_t i = 0; i < size; ++i) {
            to[i] = i < std::ssize(values) ? values[static_cast<std::size_t>(i)] : 0.0f;
        }
    };
    void* const data = state.buffer(id).data;
    if (state.real() == DType::f32) {
        put(static_cast<float*>(data));
    } else {
        put(static_cast<double*>(data));
    }
}

}  // namespace

// The program of act_window(): one window, padded behind.
struct Session::WindowForward {
    std::int64_t context;
    BufferId observations, actions, returns, timesteps, mask;
    Executable executable;
    ValueId predicted = kNone;

    WindowForward(Session& session, std::int64_t context_length)
        : context(context_length),
          observations(add(session, "observations", {1, context, session.observation_size()})),
          actions(add(session, "actions", {1, context, session.action_size()})),
          returns(add(session, "returns_to_go", {1, context})),
          timesteps(session.state().add_buffer("act_window.timesteps", DType::i64, {1, context})),
          mask(add(session, "mask", {1, context})),
          executable(session.state()) {
        executable.add(record(session.state(), [&](Graph& g) {
            algorithms::Batch batch;
            batch.observations = g.buffer(observations);
            batch.actions = g.buffer(actions);
            batch.returns_to_go = g.buffer(returns);
            batch.timesteps = g.buffer(timesteps);
            batch.mask = g.buffer(mask);
            const Tensor out = contiguous(session.algorithm().act_windows(g, batch));
            g.keep(out);
            predicted = out.id();
        }));
    }

    static BufferId add(Session& session, const std::string& name, const Shape& shape) {
        return session.state().add_buffer("act_window." + name, session.state().real(), shape);
    }
};

std::vector<float> Session::act_window(const Window& window, std::int64_t context_length,
                                       std::int64_t episode_len) {
    if (!windows_) {
        windows_ = {new WindowForward(*this, context_length),
                    [](WindowForward* forward) { delete forward; }};
    }
    WindowForward& f = *windows_;
    const std::int64_t steps = std::ssize(window.returns_to_go);
    if (context_length != f.context || steps < 1 || steps > context_length) {
        throw Error("[session] expected a window of 1 to context_length steps");
    }
    fill(*state_, f.observations, window.observations, f.context * observation_size_);
    fill(*state_, f.actions, window.actions, f.context * action_size_);
    fill(*state_, f.returns, window.returns_to_go, f.context);
    const std::vector<float> ones(static_cast<std::size_t>(steps), 1.0f);
    fill(*state_, f.mask, ones, f.context);
    auto* const time = static_cast<std::int64_t*>(state_->buffer(f.timesteps).data);
    for (std::int64_t i = 0; i < f.context; ++i) {
        time[i] = i < steps ? std::min(window.first_step + i, episode_len - 1) : 0;
    }
    const std::int64_t step = state_->counters().step;
    f.executable.run(1);
    state_->counters().step = step;  // every program ends in a tick
    const std::vector<double> out = f.executable.read(f.predicted);
    std::vector<float> action;
    for (std::int64_t j = 0; j < action_size_; ++j) {
        action.push_back(
            static_cast<float>(out[static_cast<std::size_t>((steps - 1) * action_size_ + j)]));
    }
    return action;
}

}  // namespace drydock::training
