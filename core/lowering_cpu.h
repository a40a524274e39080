// One node's lowering for the CPU, which lowering_cpu.cpp and its neighbours implement by families.
#pragma once

#include <fmt/format.h>

#include "base/error.h"
#include "core/lowering.h"
#include "kernels/cpu/table.h"

namespace drydock {

// A node with the addresses of its operands.
class CpuLowering {
  public:
    CpuLowering(const Program& program, NodeId id, Addresses addresses, CallStore& calls,
                std::vector<Step>& steps)
        : program_(program),
          id_(id),
          node_(program.node(id)),
          addresses_(addresses),
          calls_(calls),
          steps_(steps),
          table_(kernels::cpu_table(program.state->device().isa())),
          portable_(kernels::cpu_table(kernels::Isa::portable)) {}

    void run();

  private:
    const Value& in(int i) const {
        return program_.value(node_.inputs[static_cast<std::size_t>(i)]);
    }
    const Value& out(int i = 0) const {
        return program_.value(node_.outputs[static_cast<std::size_t>(i)]);
    }
    std::byte* in_data(int i) const { return at(node_.inputs[static_cast<std::size_t>(i)]); }
    std::byte* out_data(int i = 0) const { return at(node_.outputs[static_cast<std::size_t>(i)]); }
    std::byte* at(ValueId id) const { return addresses_[static_cast<std::size_t>(id)]; }
    template <class T>
    T* in_as(int i) const {
        return reinterpret_cast<T*>(in_data(i));
    }
    const Attributes& attributes() const { return node_.attributes; }

    template <class Args>
    void emit(kernels::CpuKernel<Args> kernels::CpuTable::*kernel, const Args& args);

    void elementwise();
    void copies();
    void rows();
    void reduce();
    void products();
    void losses();
    void optimizer();
    void block();
    void windows();
    void normalization();
    void attention();
    void copy_block(int input, Value to, std::byte* to_data, std::int64_t begin);

    const Program& program_;
    NodeId id_;
    const Node& node_;
    Addresses addresses_;
    CallStore& calls_;
    std::vector<Step>& steps_;
    const kernels::CpuTable& table_;
    const kernels::CpuTable& portable_;
};

template <class Args>
void CpuLowering::emit(kernels::CpuKernel<Args> kernels::CpuTable::*kernel, const Args& args) {
    struct Bound {
        Args args;
        void (*run)(const Args&, std::int64_t, std::int64_t);
    };
    const kernels::CpuKernel<Args>* chosen = &(table_.*kernel);
    kernels::Status status = chosen->check(args);
    if (status == kernels::Status::unsupported) {
        chosen = &(portable_.*kernel);
        status = chosen->check(args);
    }
    if (status != kernels::Status::ok) {
        throw Error(
            fmt::format("[plan] expected arguments that the kernel of '{}' takes; an empty "
                        "dimension or a wrong leading dimension is the usual cause",
                        program_.describe(node_)));
    }
    const Bound* bound = calls_.add(Bound{args, chosen->run});
    const auto thunk = [](const void* call, std::int64_t first, std::int64_t last) {
        const auto* b = static_cast<const Bound*>(call);
        b->run(b->args, first, last);
    };
    steps_.push_back({thunk, bound, chosen->units(args), id_});
}

}  // namespace drydock
