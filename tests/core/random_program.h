// Programs drawn at random from a seed: DAGs of the engine's ops over parameters of odd shapes.
// Every value carries bounds, so that what is drawn stays finite and smooth enough for central
// differences.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/core/harness.h"

namespace drydock::test {

// Numbers from a seed, the same on every machine.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : seed_(seed) {}
    double uniform(double low, double high) {
        return low + (high - low) * uniform_f64(seed_, stream_id("dice"), 0, next_++);
    }
    // In [0, n).
    std::int64_t below(std::int64_t n) {
        return static_cast<std::int64_t>(uniform(0.0, static_cast<double>(n)));
    }
    bool chance(double p) { return uniform(0.0, 1.0) < p; }

  private:
    std::uint64_t seed_, next_ = 0;
};

// One value of a program: a parameter, or an op of earlier values.
struct Step {
    std::string op;           // with its attributes, for the listing
    std::vector<int> inputs;  // indices of steps
    Shape shape;
    double low = 0, high = 0;  // bounds of the elements
    Builder build;             // empty for a parameter
};

struct RandomProgram {
    std::uint64_t seed = 0;
    std::vector<Step> steps;

    int add(Step step) {
        steps.push_back(std::move(step));
        return static_cast<int>(steps.size()) - 1;
    }
    const Step& operator[](int i) const { return steps[static_cast<std::size_t>(i)]; }

    // As a case of the harness: inputs are the parameters, the output is one vector of all
    // parameters and of every value that no other step reads, so that each element counts.
    OpCase as_case() const;
    // A line per step.
    std::string listing() const;
    // Without step i: what read it reads another value of its shape. False when there is none.
    bool without(int i, RandomProgram& out) const;
};

// About `length` ops.
RandomProgram make_random_program(std::uint64_t seed, int length);

}  // namespace drydock::test
