// Replays a trace of a published implementation and says how far drydock strays from it.
// docs/traces.md describes the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/program.h"
#include "core/safetensors.h"

namespace drydock::training {

// How far a replay's metrics in bf16 may stray from the fp32 recording; parameters a tenth of it.
// A loss is often a small difference of large values, of which every one was rounded.
constexpr double kBf16Tolerance = 0.2;

struct TraceOptions {
    int threads = 1;
    std::string isa;  // of the first replay; "": DRYDOCK_ISA, or the best there is
    // Of the first replay. In bf16 it is the only one, and compared with the fp32 recording.
    kernels::Precision precision = kernels::Precision::full;
    // Replaces the metrics' tolerance of the first replay, 1e-4 or in bf16 kBf16Tolerance. The
    // parameters' is 50 times as large, or in bf16 a tenth.
    std::optional<double> tolerance;
};

// Metrics: the largest |got - want| / max(|want|, mean |want| over the rows), and the row where it
// is. Parameters: ||got - want|| / ||want|| in the 2-norm; row is -1.
struct Deviation {
    std::string name;
    double largest = 0;
    std::int64_t row = -1;
    bool passed = false;
};

// One replay of all updates.
struct TraceReplay {
    std::string precision;  // "fp32", "bf16" or "fp64"
    std::string isa;
    double metric_tolerance = 0, parameter_tolerance = 0;
    std::vector<Deviation> metrics, parameters;  // in order of names
    bool passed = false;
    // Not empty: the replay needed a reading of the settings that this sentence describes. A
    // reference that keeps its masks in fp32 (PyTorch's `.float()`) while everything else is fp64
    // rounds the constants that it multiplies them with, discount and expectile, to fp32. When the
    // exact constants do not reproduce an fp64 recording, these are tried.
    std::string note;
};

struct TraceReport {
    std::string algorithm, preset, generator;
    std::int64_t steps = 0;
    // Hyperparameters that are not settings of the algorithm, and tensors of data/ that it does not
    // read.
    std::vector<std::string> ignored;
    std::vector<TraceReplay>
        replays;  // fp32 and, where the file has expect64/ or final64/, fp64; or bf16
    bool passed = false;
};

// Throws Error for a file that is not a trace, an unknown algorithm, hyperparameters out of range,
// tensors that are missing, extra or wrongly shaped, and metrics that the algorithm does not
// record.
TraceReport verify_trace(const std::string& path, const TraceOptions& options = {});
// The same for a file in memory.
TraceReport verify_trace(const TensorFile& trace, const TraceOptions& options = {});

}  // namespace drydock::training
