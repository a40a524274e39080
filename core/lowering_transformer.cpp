// The CPU's lowering of what sequences need: windows, layer normalisation and attention.
#include "core/lowering_cpu.h"

namespace drydock {

using namespace kernels;

void CpuLowering::windows() {
    emit(&CpuTable::window_rows,
         WindowRows{out().shape[1], attributes().flag, attributes().n, in(0).shape[0],
                    in_as<std::int64_t>(0), in(1).shape[0] - 1, in_as<std::int64_t>(1),
                    reinterpret_cast<std::int64_t*>(out_data(0)),
                    reinterpret_cast<std::int64_t*>(out_data(1))});
}

void CpuLowering::normalization() {
    const DType dtype = out().dtype;
    const std::int64_t N = in(0).shape[0], D = in(0).shape[1];
    switch (node_.op) {
        case Op::layer_norm:
            emit(&CpuTable::layer_norm,
                 LayerNorm{dtype, attributes().p, N, D, in_data(0), in_data(1), in_data(2),
                           out_data(0), out_data(1)});
            break;
        case Op::layer_norm_input_gradient:
            emit(&CpuTable::layer_norm_input_gradient,
                 LayerNormInputGradient{dtype, N, D, in_data(0), in_data(1), in_data(2), in_data(3),
                                        out_data()});
            break;
        default:
            emit(&CpuTable::layer_norm_weight_gradient,
                 LayerNormWeightGradient{dtype, N, D, in_data(0), in_data(1), in_data(2),
                                         out_data(0), out_data(1)});
    }
}

void CpuLowering::attention() {
    const Attributes& a = attributes();
    const bool gradient = node_.op == Op::causal_attention_gradient;
    const int first = gradient ? 3 : 0;  // of the operands q, kv, mask, draws
    const Value q = in(first), mask = in(first + 2);
    CausalAttention forward{};
    forward.dtype = out().dtype;
    forward.B = mask.shape[0];
    forward.T = mask.shape[1];
    forward.H = a.kind;
    forward.D = q.shape[1] / a.kind;
    forward.Q = q.shape[0] / forward.B;
    forward.query_first = a.n;
    forward.query_stride = a.axis;
    forward.rate = a.p;
    forward.q = in_data(first);
    forward.kv = in_data(first + 1);
    forward.mask = in_data(first + 2);
    forward.draws = node_.input_count == first + 4 ? in_data(first + 3) : nullptr;
    forward.out = gradient ? in_data(1) : out_data(0);
    forward.log_sum = gradient ? in_data(2) : out_data(1);
    if (gradient) {
        emit(&CpuTable::causal_attention_gradient,
             CausalAttentionGradient{forward.dtype, forward, in_data(0), out_data(0), out_data(1)});
    } else {
        emit(&CpuTable::causal_attention, forward);
    }
}

}  // namespace drydock
