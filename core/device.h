// Where a program runs: the CPU with its instruction set and threads. (A GPU is a second
// implementation of lowering, see docs/design.md.)
#pragma once

#include <memory>
#include <string>

#include "core/thread_pool.h"
#include "kernels/cpu/table.h"

namespace drydock {

class Device {
  public:
    // `threads` 0 takes all cores. `isa` "" takes DRYDOCK_ISA from the environment, or else the
    // best that this processor has; a name of kernels::kIsaNames forces a path. For programs of
    // full precision "avx512_bf16" and "amx" are "avx512", since they differ in bf16 alone. Throws
    // Error (usage) when the name is unknown or the processor lacks it.
    static Device cpu(int threads = 0, const std::string& isa = "",
                      kernels::Precision precision = kernels::Precision::full);

    kernels::Isa isa() const { return isa_; }
    int threads() const { return pool_->threads(); }
    ThreadPool& pool() const { return *pool_; }

  private:
    Device(kernels::Isa isa, int threads);
    kernels::Isa isa_;
    std::shared_ptr<ThreadPool> pool_;  // of all copies
};

}  // namespace drydock
