// Programs from given inputs to what a network makes of them, beside a session's updates. Running
// one leaves the state as it is, the step counter included.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "core/executable.h"
#include "training/windows.h"

namespace drydock::training {

// From observations (N, S) to a row of numbers for each.
class Forward {
  public:
    // `build` gets and gives as many rows as it likes at once. `name` is the input buffer's.
    Forward(State& state, const std::string& name, std::int64_t observation_size,
            const std::function<Tensor(Graph&, Tensor)>& build);

    // Draws that the program has are those of step 0: they do not depend on the update.
    std::vector<float> operator()(std::span<const float> observations);

  private:
    State& state_;
    std::size_t width_;
    BufferId observations_;
    Executable executable_;
    ValueId out_ = kNone;
    std::size_t columns_ = 0;
};

// From one window of an episode to the action of every step.
class WindowForward {
  public:
    WindowForward(State& state, algorithms::Algorithm& algorithm,
                  const algorithms::WindowSpec& spec, std::int64_t observation_size,
                  std::int64_t action_size);

    // (n, action_size) for a window of n <= context_length steps; throws Error for another.
    std::vector<float> operator()(const Window& window);

  private:
    void check(const Window& window) const;

    State& state_;
    algorithms::WindowSpec spec_;
    std::int64_t observation_size_, action_size_;
    BufferId observations_, actions_, returns_to_go_, timesteps_, mask_;
    Executable executable_;
    ValueId out_ = kNone;
};

}  // namespace drydock::training
