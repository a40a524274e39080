// How fast single kernels are at the sizes that training gives them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/graph.h"
#include "measure/limits.h"
#include "measure/node_work.h"
#include "measure/statistics.h"

namespace drydock::measure {

// A small program around the node that is measured, so that what is timed is what training runs:
// planned, passed and lowered as an update is.
struct KernelCase {
    std::string name;   // "linear weight gradient"
    std::string sizes;  // "256 x 17 -> 256"
    Op op;              // the node to look at: the last of this op
    std::function<void(State&, Graph&)> record;
};

// All of them, by algorithm's use: layers, optimizers, sequences, losses, elementwise, batches.
std::vector<KernelCase> kernel_cases();

struct KernelOptions {
    int threads = 1;
    std::string isa;       // "": as Device::cpu
    std::string filter;    // only cases whose "name sizes" has this in it
    double seconds = 0.1;  // for each case, about
};

struct KernelTime {
    std::string name, sizes;
    Summary seconds;  // of a call; the clock itself takes some 50 ns of it
    std::int64_t calls = 0;
    NodeWork work;
    bool product;           // limited by arithmetic: its share is of the FMA peak
    double share_of_limit;  // of the peak, or of the bandwidth of memory of that size
};

struct KernelReport {
    std::string isa;
    int threads = 1;
    double fma_peak = 0;          // FLOP/s
    double memory_bandwidth = 0;  // bytes/s
    std::vector<KernelTime> kernels;
};

// Throws Error (usage) where the filter leaves nothing. `progress` is called with every result.
KernelReport measure_kernels(const KernelOptions& options,
                             const std::function<void(const KernelTime&)>& progress = {});

}  // namespace drydock::measure
