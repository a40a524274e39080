// What a kernel is. A contract (the other files of this folder) is a plain argument struct with a
// dtype; a device implements it with the three functions below.
//
// Rules that every implementation keeps:
// - `run(args, first, last)` computes the work units [first, last). A unit's result depends neither
//   on the range it came in nor on the thread that ran it, so any split over threads gives the same
//   bits.
// - Nothing is allocated, locked, printed or thrown.
// - Pointers are to row-major arrays; "ld" is the leading dimension, the distance between rows in
//   elements. Arrays must not overlap unless the contract says that they may.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace drydock::kernels {

enum class Status : std::uint8_t {
    ok,
    unsupported,   // this implementation does not cover these arguments: ask another one
    bad_argument,  // no implementation may accept these arguments
    failed,        // the device did not take the work; its last error says why
};

// Activation functions that fused kernels know. Derivatives are taken from the output y:
// relu' = (y > 0), tanh' = 1 - y^2. That of gelu, x (1 + erf(x / sqrt 2)) / 2, is no function of
// its output: the forward pass stores the derivative beside it.
enum class Activation : std::uint8_t { none, relu, tanh, gelu };

template <class Args>
struct CpuKernel {
    Status (*check)(const Args&);        // may be called once, at plan time
    std::int64_t (*units)(const Args&);  // number of work units
    void (*run)(const Args&, std::int64_t first,
                std::int64_t last);  // computes units [first, last)
};

}  // namespace drydock::kernels
