// The tensors and settings of a trace, checked before anything is replayed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "core/safetensors.h"
#include "core/shape.h"
#include "data/transitions.h"

namespace drydock::training::trace {

using Dims = std::vector<std::int64_t>;

// Throws Error with "[verify] " before the text.
[[noreturn]] void refuse(const std::string& text);

std::string show(const Dims& shape);  // "(4, 17)"
Dims dims(const Shape& shape);
// Throws Error, naming the tensor, past kMaxRank dimensions.
Shape to_shape(const std::string& name, const Dims& shape);

// The tensor of that name, shape and type, -1 being any length. Throws Error where it is missing or
// another one.
const TensorData& demand(const TensorFile& trace, const std::string& name, const Dims& shape,
                         DType dtype);

// What follows `prefix` in the names of the tensors that begin with it.
std::vector<std::string> names_under(const TensorFile& trace, const std::string& prefix);

// The trace, checked as far as that needs no algorithm, and the recipe that it asks for.
struct Trace {
    const TensorFile& file;
    std::int64_t steps;
    std::unique_ptr<algorithms::Recipe> recipe;
    std::vector<std::string> ignored;
    data::Transitions data;
    std::vector<std::int64_t> batch;  // (steps, batch_size): rows; of windows their first

    explicit Trace(const TensorFile& trace);
};

}  // namespace drydock::training::trace
