// The CPU's lowering: for every op, which kernel runs it and with what arguments.
#include <fmt/format.h>

#include "base/error.h"
#include "core/lowering.h"
#include "kernels/cpu/table.h"

namespace drydock {
namespace {

using namespace kernels;

// A node with the addresses of its operands.
class Lowering {
  public:
    Lowering(const Program& program, NodeId id, Addresses addresses, CallStore& calls,
             std::vector<Step>& steps)
        : program_(program),
          id_(id),
          node_(program.node(id)),
          addresses_(addresses),
          calls_(calls),
          steps_(steps),
          table_(cpu_table(program.state->device().isa())),
          portable_(cpu_table(Isa::portable)) {}

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
    void emit(CpuKernel<Args> CpuTable::*kernel, const Args& args);

    void elementwise();
    void copies();
    void rows();
    void reduce();
    void products();
    void losses();
    void optimizer();
    void block();
    void copy_block(int input, Value to, std::byte* to_data, std::int64_t begin);

    const Program& program_;
    NodeId id_;
    const Node& node_;
    Addresses addresses_;
    CallStore& calls_;
    std::vector<Step>& steps_;
    const CpuTable& table_;
    const CpuTable& portable_;
};

template <class Args>
void Lowering::emit(CpuKernel<Args> CpuTable::*kernel, const Args& args) {
    struct Bound {
        Args args;
        void (*run)(const Args&, std::int64_t, std::int64_t);
    };
    const CpuKernel<Args>* chosen = &(table_.*kernel);
    Status status = chosen->check(args);
    if (status == Status::unsupported) {
        chosen = &(portable_.*kernel);
        status = chosen->check(args);
    }
    if (status != Status::ok) {
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

// Shapes and strides are aligned at the last of kMaxRank dimensions.
MapShape map_shape(const Shape& shape) {
    MapShape m{{1, 1, 1, 1}};
    const int lead = kernels::kMaxRank - shape.rank();
    for (int i = 0; i < shape.rank(); ++i) m.dims[lead + i] = shape[i];
    return m;
}

template <class T>  // Operand or Result
T operand(const Value& v, std::byte* data) {
    T o{data, {0, 0, 0, 0}};
    const int lead = kernels::kMaxRank - v.shape.rank();
    for (int i = 0; i < v.shape.rank(); ++i) {
        o.strides[lead + i] = v.shape[i] == 1 ? 0 : v.strides[static_cast<std::size_t>(i)];
    }
    return o;
}

void Lowering::elementwise() {
    const auto x = [&](int i) { return operand<Operand>(in(i), in_data(i)); };
    const Attributes& a = attributes();
    const MapShape shape = map_shape(out().shape);
    const Result y = operand<Result>(out(), out_data());
    if (node_.op == Op::unary) {
        emit(&CpuTable::unary,
             UnaryMap{out().dtype, static_cast<Unary>(a.kind), a.p, a.q, shape, x(0), y});
    } else if (node_.op == Op::binary) {
        emit(&CpuTable::binary,
             BinaryMap{out().dtype, static_cast<Binary>(a.kind), shape, x(0), x(1), y});
    } else {
        emit(&CpuTable::where, WhereMap{out().dtype, shape, x(0), x(1), x(2), y});
    }
}

// Copies an input into the part of `to` that starts at `begin` along the node's axis.
void Lowering::copy_block(int input, Value to, std::byte* to_data, std::int64_t begin) {
    const auto axis = static_cast<std::size_t>(attributes().axis);
    to_data += begin * to.strides[axis] * static_cast<std::int64_t>(size_of(to.dtype));
    to.shape = in(input).shape;
    emit(&CpuTable::unary,
         UnaryMap{to.dtype, Unary::copy, 0.0, 0.0, map_shape(to.shape),
                  operand<Operand>(in(input), in_data(input)), operand<Result>(to, to_data)});
}

void Lowering::copies() {
    if (node_.op == Op::store) {
        // Computed in place by the planner's choice; a view that only starts there is copied.
        const bool placed = in_data(0) == in_data(1) && in(0).storage == Storage::planned;
        if (placed) return;
        Value to = in(1);
        emit(&CpuTable::unary,
             UnaryMap{to.dtype, Unary::copy, 0.0, 0.0, map_shape(to.shape),
                      operand<Operand>(in(0), in_data(0)), operand<Result>(to, in_data(1))});
        return;
    }
    if (node_.op == Op::pad) {
        emit(&CpuTable::fill, Fill{out().dtype, 0.0, out().shape.size(), out_data()});
        copy_block(0, out(), out_data(), attributes().n);
        return;
    }
    std::int64_t begin = 0;  // concat
    for (int i = 0; i < node_.input_count; ++i) {
        copy_block(i, out(), out_data(), begin);
        begin += in(i).shape[attributes().axis];
    }
}

void Lowering::rows() {
    if (node_.op == Op::gather_rows) {
        const std::int64_t count = in(0).shape[0];
        const std::int64_t width = count ? in(0).shape.size() / count : 0;
        emit(&CpuTable::gather_rows,
             GatherRows{out().dtype, count, width, width, in_data(0), in(1).shape[0],
                        in_as<std::int64_t>(1), out_data()});
    } else if (node_.op == Op::scatter_add_rows) {
        const std::int64_t count = out().shape[0];
        emit(&CpuTable::scatter_add_rows,
             ScatterAddRows{out().dtype, count, count ? out().shape.size() / count : 0,
                            in(1).shape[0], in_as<std::int64_t>(1), in_data(0), out_data()});
    } else {
        emit(&CpuTable::select_row, SelectRow{out().dtype, in(0).shape[0], out().shape.size(),
                                              in_data(0), in_as<Counters>(1), out_data()});
    }
}

void Lowering::reduce() {
    Reduce r{out().dtype, static_cast<Reduction>(attributes().kind), 1, 1, 1, in_data(0),
             out_data()};
    for (int i = 0; i < in(0).shape.rank(); ++i) {
        std::int64_t& part = i < attributes().axis   ? r.outer
                             : i > attributes().axis ? r.inner
                                                     : r.length;
        part *= in(0).shape[i];
    }
    emit(&CpuTable::reduce, r);
}

void Lowering::products() {
    // A single row may have any stride, 0 when it was broadcast.
    const auto ld = [](const Value& v) { return v.shape[0] == 1 ? v.shape[1] : v.strides[0]; };
    const DType dtype = out().dtype;
    const auto activation = static_cast<Activation>(attributes().kind);
    switch (node_.op) {
        case Op::matmul: {
            const bool ta = attributes().kind & 1, tb = attributes().kind & 2;
            emit(&CpuTable::matmul,
                 Matmul{dtype, ta, tb, out().shape[0], out().shape[1], in(0).shape[ta ? 0 : 1],
                        in_data(0), ld(in(0)), in_data(1), ld(in(1)), out_data(), ld(out())});
            break;
        }
        case Op::linear:
            emit(&CpuTable::linear_forward,
                 LinearForward{dtype, activation, in(0).shape[0], in(0).shape[1], out().shape[1],
                               in_data(0), ld(in(0)), in_data(1),
                               node_.input_count == 3 ? in_data(2) : nullptr, out_data(),
                               ld(out())});
            break;
        case Op::linear_input_gradient:
            emit(&CpuTable::linear_input_gradient,
                 LinearInputGradient{dtype, activation, in(0).shape[0], in(1).shape[1],
                                     in(1).shape[0], in_data(0), ld(in(0)), in_data(1),
                                     node_.input_count == 3 ? in_data(2) : nullptr, out_data(),
                                     ld(out())});
            break;
        default:
            emit(&CpuTable::linear_weight_gradient,
                 LinearWeightGradient{dtype, in(0).shape[0], in(1).shape[1], in(0).shape[1],
                                      in_data(0), ld(in(0)), in_data(1), ld(in(1)), out_data(),
                                      node_.output_count == 2 ? out_data(1) : nullptr});
    }
}

void Lowering::losses() {
    const DType dtype = out().dtype;
    switch (node_.op) {
        case Op::expectile_loss:
            emit(&CpuTable::expectile_loss, ExpectileLoss{dtype, attributes().p, in(0).shape.size(),
                                                          in_data(0), out_data(0), out_data(1)});
            break;
        case Op::mse_loss:
            emit(&CpuTable::mse_loss, MseLoss{dtype, in(0).shape.size(), in_data(0), in_data(1),
                                              out_data(0), out_data(1)});
            break;
        case Op::gaussian_log_prob:
            emit(&CpuTable::gaussian_log_prob,
                 GaussianLogProb{dtype, in(0).shape[0], in(0).shape[1], in_data(0), in_data(1),
                                 in_data(2), out_data()});
            break;
        default:
            emit(&CpuTable::gaussian_log_prob_gradient,
                 GaussianLogProbGradient{dtype, in(1).shape[0], in(1).shape[1], in_data(0),
                                         in_data(1), in_data(2), in_data(3), out_data(0),
                                         out_data(1)});
    }
}

void Lowering::optimizer() {
    const DType dtype = in(0).dtype;
    const std::int64_t n = in(0).shape.size();
    const double p = attributes().p;
    switch (node_.op) {
        case Op::squared_norm:
            emit(&CpuTable::squared_norm, SquaredNorm{dtype, n, in_data(0), out_data()});
            break;
        case Op::clip_by_norm:
            emit(&CpuTable::clip_by_norm,
                 ClipByNorm{dtype, in(1).shape.size(), p, in_data(0), in_data(1)});
            break;
        case Op::optimizer_tick:
            emit(&CpuTable::optimizer_tick, OptimizerTick{in_as<OptimizerHyper>(0)});
            break;
        case Op::adam_step:
            emit(&CpuTable::adam_step, AdamStep{dtype, n, in_data(0), in_data(1), in_data(2),
                                                in_data(3), in_as<OptimizerHyper>(4),
                                                node_.input_count == 6 ? in_data(5) : nullptr, p});
            break;
        default:
            emit(&CpuTable::polyak, kernels::Polyak{dtype, n, p, in_data(0), in_data(1)});
    }
}

// The nodes of the hyper block: counters, metrics, random streams.
void Lowering::block() {
    const Attributes& a = attributes();
    if (node_.op == Op::tick) {
        emit(&CpuTable::tick, Tick{in_as<Counters>(0)});
    } else if (node_.op == Op::store_metric) {
        emit(&CpuTable::store_metric, StoreMetric{in(0).dtype, in_data(0), in_as<Counters>(1),
                                                  in(2).shape[0], in(2).shape[1], a.n, in_data(2)});
    } else if (node_.op == Op::random) {
        emit(&CpuTable::random_fill,
             RandomFill{out().dtype, static_cast<Distribution>(a.kind), a.p, a.q, a.stream,
                        in_as<Counters>(0), out().shape.size(), out_data()});
    } else {
        emit(&CpuTable::fill, Fill{out().dtype, a.p, out().shape.size(), out_data(), a.q});
    }
}

void Lowering::run() {
    switch (node_.op) {
        case Op::detach:
        case Op::reshape:
        case Op::slice:
        case Op::broadcast:
            return;  // views
        case Op::unary:
        case Op::binary:
        case Op::where:
            return elementwise();
        case Op::store:
        case Op::pad:
        case Op::concat:
            return copies();
        case Op::gather_rows:
        case Op::scatter_add_rows:
        case Op::select_row:
            return rows();
        case Op::reduce:
            return reduce();
        case Op::matmul:
        case Op::linear:
        case Op::linear_input_gradient:
        case Op::linear_weight_gradient:
            return products();
        case Op::expectile_loss:
        case Op::mse_loss:
        case Op::gaussian_log_prob:
        case Op::gaussian_log_prob_gradient:
            return losses();
        case Op::squared_norm:
        case Op::clip_by_norm:
        case Op::optimizer_tick:
        case Op::adam_step:
        case Op::polyak:
            return optimizer();
        case Op::fill:
        case Op::random:
        case Op::store_metric:
        case Op::tick:
            return block();
        case Op::count_:
            return;
    }
}

}  // namespace

void lower_on_cpu(const Program& program, NodeId id, Addresses addresses, CallStore& calls,
                  std::vector<Step>& steps) {
    Lowering(program, id, addresses, calls, steps).run();
}

}  // namespace drydock
