// From nodes to kernel calls. Each device has one lowering beside its kernels' tables; this is the
// interface that the planner, the executable and eager mode share.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/row_local.h"

namespace drydock {

// One kernel call of a lowered program.
struct Step {
    void (*run)(const void* call, std::int64_t first, std::int64_t last);
    const void* call;    // the bound arguments, owned by CallStore
    std::int64_t units;  // independent pieces, for the thread pool
    NodeId node;
};

// Owns the argument blocks of steps at addresses that do not move.
class CallStore {
  public:
    template <class T>
    const T* add(const T& value) {
        blocks_.emplace_back(new T(value), [](void* p) { delete static_cast<T*>(p); });
        return static_cast<const T*>(blocks_.back().get());
    }

  private:
    std::vector<std::unique_ptr<void, void (*)(void*)>> blocks_;
};

// Where each value lies, by ValueId: the address of its first element.
using Addresses = std::span<std::byte* const>;

// Appends the kernel calls of `node` for the CPU. Throws Error when a kernel refuses.
void lower_on_cpu(const Program& program, NodeId id, Addresses addresses, CallStore& calls,
                  std::vector<Step>& steps);

// The same for some rows of a node for which row_count() is not 0.
void lower_rows_on_cpu(const Program& program, NodeId id, RowRange rows, Addresses addresses,
                       CallStore& calls, std::vector<Step>& steps);

}  // namespace drydock
