// Windows of episodes as a batch: the columns on the device, and the nodes that gather from them.
#pragma once

#include <span>

#include "algorithms/algorithm.h"
#include "data/transitions.h"

namespace drydock::training {

// The columns of sequences, each with the row of padding behind its last.
class WindowColumns {
  public:
    // Takes data::make_sequences' columns. Throws Error when the episodes do not cover the rows.
    WindowColumns(State& state, data::Transitions sequences, const algorithms::WindowSpec& spec);

    // The same columns for another state; `owner` is the state of `other` and outlives this one.
    WindowColumns(State& state, const WindowColumns& other, const State& owner);

    // Records the windows whose first rows are drawn from the stream "batch", `batch_size` of them.
    algorithms::Batch record(Graph& graph, std::int64_t batch_size) const;

  private:
    algorithms::WindowSpec spec_;
    BufferId observations_, actions_, returns_to_go_, mask_, offsets_;
};

// One window as the engine's forward pass takes it.
struct Window {
    std::span<const float> observations;   // (n, observation_size), normalised
    std::span<const float> actions;        // (n, action_size), in [-1, 1]; the last plays no part
    std::span<const float> returns_to_go;  // (n), scaled
    std::span<const std::int64_t> timesteps;  // (n)
};

}  // namespace drydock::training
