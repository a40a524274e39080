// The CPU's lowering: for every op, which kernel runs it and with what arguments.
#include "core/lowering_cpu.h"

namespace drydock {

using namespace kernels;

namespace {

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

}  // namespace

void CpuLowering::elementwise() {
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
void CpuLowering::copy_block(int input, Value to, std::byte* to_data, std::int64_t begin) {
    const auto axis = static_cast<std::size_t>(attributes().axis);
    to_data += begin * to.strides[axis] * static_cast<std::int64_t>(size_of(to.dtype));
    to.shape = in(input).shape;
    emit(&CpuTable::unary,
         UnaryMap{to.dtype, Unary::copy, 0.0, 0.0, map_shape(to.shape),
                  operand<Operand>(in(input), in_data(input)), operand<Result>(to, to_data)});
}

void CpuLowering::copies() {
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

void CpuLowering::rows() {
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

void CpuLowering::reduce() {
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

void CpuLowering::products() {
    // A single row may have any stride, 0 when it was broadcast.
    const auto ld = [](const Value& v) { return v.shape[0] == 1 ? v.shape[1] : v.strides[0]; };
    const DType dtype = out().dtype;
    const auto activation = static_cast<Activation>(attributes().kind);
    const auto precision_of = [&](std::int64_t outputs) {
        return outputs > kNarrowOutputs ? program_.precision : Precision::full;
    };
    const auto emit_layer = [&](auto full, auto bf16, const auto& args) {
        emit(args.precision == Precision::bf16 ? bf16 : full, args);
    };
    // Inputs but for the packed weights, which come last.
    const int own = node_.input_count - (attributes().packed ? 1 : 0);
    const void* packed = attributes().packed ? in_data(own) : nullptr;
    switch (node_.op) {
        case Op::pack_weights:
            emit(&CpuTable::pack_weights,
                 PackWeights{dtype, static_cast<PackedFor>(attributes().kind), in(0).shape[1],
                             in(0).shape[0], in_data(0), out_data()});
            break;
        case Op::matmul: {
            const bool ta = attributes().kind & 1, tb = attributes().kind & 2;
            emit(&CpuTable::matmul,
                 Matmul{dtype, ta, tb, out().shape[0], out().shape[1], in(0).shape[ta ? 0 : 1],
                        in_data(0), ld(in(0)), in_data(1), ld(in(1)), out_data(), ld(out())});
            break;
        }
        case Op::linear: {
            const int residual = residual_input(node_);
            const bool bias = own - (residual >= 0 ? 1 : 0) == 3;
            LinearForward args{dtype,          activation,     in(0).shape[0],
                               in(0).shape[1], out().shape[1], in_data(0),
                               ld(in(0)),      in_data(1),     bias ? in_data(2) : nullptr,
                               out_data(),     ld(out()),      precision_of(out().shape[1])};
            if (residual >= 0) {
                args.residual = in_data(residual);
                args.repeat = args.N / in(residual).shape[0];
            }
            args.packed = packed;
            if (node_.output_count == 2) args.slope = out_data(1);
            emit_layer(&CpuTable::linear_forward, &CpuTable::linear_forward_bf16, args);
            break;
        }
        case Op::linear_input_gradient:
            emit_layer(&CpuTable::linear_input_gradient, &CpuTable::linear_input_gradient_bf16,
                       LinearInputGradient{dtype, activation, in(0).shape[0], in(1).shape[1],
                                           in(1).shape[0], in_data(0), ld(in(0)), in_data(1),
                                           own == 3 ? in_data(2) : nullptr, out_data(), ld(out()),
                                           precision_of(in(1).shape[0]), packed});
            break;
        default:
            emit_layer(
                &CpuTable::linear_weight_gradient, &CpuTable::linear_weight_gradient_bf16,
                LinearWeightGradient{dtype, in(0).shape[0], in(1).shape[1], in(0).shape[1],
                                     in_data(0), ld(in(0)), in_data(1), ld(in(1)), out_data(),
                                     node_.output_count == 2 ? out_data(1) : nullptr,
                                     precision_of(in(0).shape[1])});
    }
}

void CpuLowering::losses() {
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

void CpuLowering::optimizer() {
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
void CpuLowering::block() {
    const Attributes& a = attributes();
    if (node_.op == Op::tick) {
        emit(&CpuTable::tick, Tick{in_as<Counters>(0)});
    } else if (node_.op == Op::store_metric) {
        emit(&CpuTable::store_metric, StoreMetric{in(0).dtype, in_data(0), in_as<Counters>(1),
                                                  in(2).shape[0], in(2).shape[1], a.n, in_data(2)});
    } else if (node_.op == Op::random) {
        emit(&CpuTable::random_fill,
             RandomFill{out().dtype, static_cast<Distribution>(a.kind), a.p, a.q, a.stream,
                        in_as<Counters>(0), out().shape.size(), out_data(), first_element()});
    } else {
        emit(&CpuTable::fill, Fill{out().dtype, a.p, out().shape.size(), out_data(), a.q});
    }
}

void CpuLowering::run() {
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
        case Op::pack_weights:
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
        case Op::window_rows:
            return windows();
        case Op::layer_norm:
        case Op::layer_norm_input_gradient:
        case Op::layer_norm_weight_gradient:
            return normalization();
        case Op::causal_attention:
        case Op::causal_attention_gradient:
            return attention();
        case Op::fill:
        case Op::random:
        case Op::store_metric:
        case Op::tick:
            return block();
        case Op::count_:
            return;
    }
}

void lower_on_cpu(const Program& program, NodeId id, Addresses addresses, CallStore& calls,
                  std::vector<Step>& steps) {
    CpuLowering(program, id, nullptr, addresses, calls, steps).run();
}

void lower_rows_on_cpu(const Program& program, NodeId id, RowRange rows, Addresses addresses,
                       CallStore& calls, std::vector<Step>& steps) {
    CpuLowering(program, id, &rows, addresses, calls, steps).run();
}

}  // namespace drydock
