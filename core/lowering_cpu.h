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
    // With `rows`, of those rows alone.
    CpuLowering(const Program& program, NodeId id, const RowRange* rows, Addresses addresses,
                CallStore& calls, std::vector<Step>& steps)
        : program_(program),
          id_(id),
          node_(program.node(id)),
          rows_(rows),
          addresses_(addresses),
          calls_(calls),
          steps_(steps),
          table_(kernels::cpu_table(program.state->device().isa())),
          portable_(kernels::cpu_table(kernels::Isa::portable)) {}

    void run();

  private:
    ValueId in_id(int i) const { return node_.inputs[static_cast<std::size_t>(i)]; }
    ValueId out_id(int i) const { return node_.outputs[static_cast<std::size_t>(i)]; }
    std::int64_t served(int i) const { return rows_served(program_, node_, i); }
    Value in(int i) const {
        return rows_ ? rows_of(program_.value(in_id(i)), *rows_, served(i))
                     : program_.value(in_id(i));
    }
    Value out(int i = 0) const {
        return rows_ ? rows_of(program_.value(out_id(i)), *rows_, 1) : program_.value(out_id(i));
    }
    std::byte* in_data(int i) const { return at(in_id(i), rows_ ? served(i) : 0); }
    std::byte* out_data(int i = 0) const { return at(out_id(i), 1); }
    std::byte* at(ValueId id, std::int64_t served) const {
        std::byte* data = addresses_[static_cast<std::size_t>(id)];
        if (!rows_ || served == 0) return data;
        const Value& v = program_.value(id);
        return data +
               rows_->first / served * v.strides[0] * static_cast<std::int64_t>(size_of(v.dtype));
    }
    // Of the output, where it is computed by rows.
    std::int64_t first_element() const {
        return rows_ ? rows_->first * program_.value(out_id(0)).strides[0] : 0;
    }
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
    const RowRange* rows_;
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
