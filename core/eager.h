// Runs nodes as they are appended, every value in memory of its own.
#pragma once

#include <memory>
#include <vector>

#include "core/lowering.h"

namespace drydock {

class EagerRunner {
  public:
    explicit EagerRunner(State& state) : state_(state) {}
    // Gives the value memory, or the address of what it views.
    void define(const Program& program, ValueId id);
    // Runs the program's last node.
    void execute(const Program& program);
    std::vector<double> read(const Program& program, ValueId id) const;

  private:
    State& state_;
    std::vector<std::unique_ptr<std::byte, void (*)(void*)>> blocks_;
    std::vector<std::byte*> addresses_;  // by ValueId
};

// The elements of a value in row-major order, as f64.
std::vector<double> read_elements(const Value& value, const std::byte* data);

}  // namespace drydock
