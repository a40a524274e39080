// Elementwise maps whose runs along the innermost dimension are contiguous or repeat one element:
// whole arrays, rows that repeat, scalars. Operations without a function of base/simd_math.h have
// the bits of the portable kernel.
#include "kernels/api/elementwise.h"

#include "base/simd_math.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"
#include "kernels/cpu/walk.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

constexpr int64_t kBlock = 8192;  // elements of a unit

template <class Map>
int64_t units(const Map& m) {
    return (elements_of(m.shape) + kBlock - 1) / kBlock;
}

template <class Map>
DRYDOCK_INLINE int64_t end_of(const Map& m, int64_t last) {
    const int64_t n = elements_of(m.shape);
    return last * kBlock < n ? last * kBlock : n;
}

// The run of an operand that is read.
struct Source {
    const float* data;
    F32 repeated;
    bool repeats;

    DRYDOCK_INLINE Source(const void* base, int64_t offset, int64_t stride)
        : data(static_cast<const float*>(base) + offset),
          repeated(simd::broadcast(*data)),
          repeats(stride == 0) {}

    DRYDOCK_INLINE F32 at(int64_t i) const { return repeats ? repeated : simd::load(data + i); }
    DRYDOCK_INLINE F32 first_at(int64_t i, int64_t n) const {
        return repeats ? repeated : simd::load_first(data + i, n);
    }
};

// y[i] = f(sources at i) for a run of n.
template <class Op, class... Sources>
DRYDOCK_INLINE void map_run(const Op& f, int64_t n, float* y, const Sources&... from) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) simd::store(y + i, f(from.at(i)...));
    if (i < n) simd::store_first(y + i, f(from.first_at(i, n - i)...), n - i);
}

DRYDOCK_INLINE F32 one() { return simd::broadcast(1.0f); }

DRYDOCK_INLINE F32 flag(simd::Mask m) { return simd::select(m, one(), simd::zero()); }

DRYDOCK_INLINE F32 exp_of_minus_size(F32 x) { return simd::exp(simd::negate(simd::absolute(x))); }

// One element of an operation; p and q are its parameters.

template <Unary kOp>
struct UnaryOp {
    F32 p, q;

    DRYDOCK_INLINE explicit UnaryOp(const UnaryMap& m)
        : p(simd::broadcast(static_cast<float>(m.p))),
          q(simd::broadcast(static_cast<float>(m.q))) {}

    DRYDOCK_INLINE F32 operator()(F32 x) const {
        if constexpr (kOp == Unary::copy) return x;
        if constexpr (kOp == Unary::negate) return simd::negate(x);
        if constexpr (kOp == Unary::exp) return simd::exp(x);
        if constexpr (kOp == Unary::log) return simd::log(x);
        if constexpr (kOp == Unary::sqrt) return simd::sqrt(x);
        if constexpr (kOp == Unary::square) return simd::mul(x, x);
        if constexpr (kOp == Unary::absolute) return simd::absolute(x);
        if constexpr (kOp == Unary::relu) return simd::max(simd::zero(), x);
        if constexpr (kOp == Unary::tanh) return simd::tanh(x);
        if constexpr (kOp == Unary::sigmoid) {
            const F32 e = exp_of_minus_size(x);
            const F32 numerator = simd::select(simd::greater(simd::zero(), x), e, one());
            return simd::div(numerator, simd::add(one(), e));
        }
        if constexpr (kOp == Unary::softplus) {
            const F32 tail = simd::log1p_of_fraction(exp_of_minus_size(x));
            return simd::add(simd::max(x, simd::zero()), tail);
        }
        if constexpr (kOp == Unary::gelu) return simd::mul(x, simd::normal(x).below);
        if constexpr (kOp == Unary::add_scalar) return simd::add(x, p);
        if constexpr (kOp == Unary::mul_scalar) return simd::mul(x, p);
        if constexpr (kOp == Unary::rsub_scalar) return simd::sub(p, x);
        if constexpr (kOp == Unary::rdiv_scalar) return simd::div(p, x);
        if constexpr (kOp == Unary::min_scalar) return simd::min(p, x);
        if constexpr (kOp == Unary::max_scalar) return simd::max(p, x);
        if constexpr (kOp == Unary::clamp) return simd::min(q, simd::max(p, x));
        if constexpr (kOp == Unary::positive) return flag(simd::greater(x, simd::zero()));
        if constexpr (kOp == Unary::inside) {
            return flag(simd::both(simd::greater_equal(x, p), simd::greater_equal(q, x)));
        }
    }
};

template <Binary kOp>
struct BinaryOp {
    DRYDOCK_INLINE F32 operator()(F32 a, F32 b) const {
        if constexpr (kOp == Binary::add) return simd::add(a, b);
        if constexpr (kOp == Binary::sub) return simd::sub(a, b);
        if constexpr (kOp == Binary::mul) return simd::mul(a, b);
        if constexpr (kOp == Binary::div) return simd::div(a, b);
        // A NaN in b is chosen by min and max, one in a by its comparison with itself.
        if constexpr (kOp == Binary::minimum) {
            return simd::select(simd::equal(a, a), simd::min(a, b), a);
        }
        if constexpr (kOp == Binary::maximum) {
            return simd::select(simd::equal(a, a), simd::max(a, b), a);
        }
        if constexpr (kOp == Binary::less) return flag(simd::greater(b, a));
        if constexpr (kOp == Binary::less_equal) return flag(simd::greater_equal(b, a));
        if constexpr (kOp == Binary::equal) return flag(simd::equal(a, b));
        if constexpr (kOp == Binary::relu_gradient) {
            return simd::select(simd::greater(b, simd::zero()), a, simd::zero());
        }
        if constexpr (kOp == Binary::tanh_gradient) {
            return simd::mul(a, simd::sub(one(), simd::mul(b, b)));
        }
        if constexpr (kOp == Binary::gelu_gradient) {
            const simd::Normal n = simd::normal(b);
            return simd::mul(a, simd::add(n.below, simd::mul(b, n.density)));
        }
    }
};

struct WhereOp {
    DRYDOCK_INLINE F32 operator()(F32 condition, F32 a, F32 b) const {
        return simd::select(simd::equal(condition, simd::zero()), b, a);
    }
};

DRYDOCK_INLINE Walk<2> walk_of(const UnaryMap& m) { return {m.shape, {m.x.strides, m.y.strides}}; }
DRYDOCK_INLINE Walk<3> walk_of(const BinaryMap& m) {
    return {m.shape, {m.a.strides, m.b.strides, m.y.strides}};
}
DRYDOCK_INLINE Walk<4> walk_of(const WhereMap& m) {
    return {m.shape, {m.condition.strides, m.a.strides, m.b.strides, m.y.strides}};
}

template <Unary kOp>
void map_unary(const UnaryMap& m, int64_t first, int64_t last) {
    const Walk<2> walk = walk_of(m);
    const UnaryOp<kOp> op(m);
    float* y = static_cast<float*>(m.y.data);
    walk.for_runs(
        first * kBlock,
        end_of(m, last), [&](const int64_t* at, int64_t n) __attribute__((always_inline)) {
            map_run(op, n, y + at[1], Source(m.x.data, at[0], walk.stride(0)));
        });
}

template <Binary kOp>
void map_binary(const BinaryMap& m, int64_t first, int64_t last) {
    const Walk<3> walk = walk_of(m);
    float* y = static_cast<float*>(m.y.data);
    walk.for_runs(
        first * kBlock,
        end_of(m, last), [&](const int64_t* at, int64_t n) __attribute__((always_inline)) {
            map_run(BinaryOp<kOp>(), n, y + at[2], Source(m.a.data, at[0], walk.stride(0)),
                    Source(m.b.data, at[1], walk.stride(1)));
        });
}

// Runs that are contiguous in the output and contiguous or repeated in the inputs.
template <int K>
DRYDOCK_INLINE bool covers(const Walk<K>& walk) {
    const int64_t inner = walk.dims[walk.rank - 1];
    for (int k = 0; k < K; ++k) {
        const int64_t stride = walk.stride(k);
        if (inner > 1 && stride != 1 && !(stride == 0 && k < K - 1)) return false;
    }
    return true;
}

template <class Map>
DRYDOCK_INLINE Status check(const Map& m, Status portable) {
    if (m.dtype != DType::f32) return Status::unsupported;
    if (portable != Status::ok) return portable;
    return covers(walk_of(m)) ? Status::ok : Status::unsupported;
}

Status check_unary(const UnaryMap& m) { return check(m, portable::unary().check(m)); }
Status check_binary(const BinaryMap& m) { return check(m, portable::binary().check(m)); }
Status check_where(const WhereMap& m) { return check(m, portable::where().check(m)); }

void run_unary(const UnaryMap& m, int64_t first, int64_t last) {
    switch (m.op) {
#define DRYDOCK_CASE(name) \
    case Unary::name:      \
        return map_unary<Unary::name>(m, first, last);
        DRYDOCK_CASE(copy)
        DRYDOCK_CASE(negate)
        DRYDOCK_CASE(exp)
        DRYDOCK_CASE(log)
        DRYDOCK_CASE(sqrt)
        DRYDOCK_CASE(square)
        DRYDOCK_CASE(absolute)
        DRYDOCK_CASE(relu)
        DRYDOCK_CASE(tanh)
        DRYDOCK_CASE(sigmoid)
        DRYDOCK_CASE(softplus)
        DRYDOCK_CASE(gelu)
        DRYDOCK_CASE(add_scalar)
        DRYDOCK_CASE(mul_scalar)
        DRYDOCK_CASE(rsub_scalar)
        DRYDOCK_CASE(rdiv_scalar)
        DRYDOCK_CASE(min_scalar)
        DRYDOCK_CASE(max_scalar)
        DRYDOCK_CASE(clamp)
        DRYDOCK_CASE(positive)
        DRYDOCK_CASE(inside)
#undef DRYDOCK_CASE
    }
}

void run_binary(const BinaryMap& m, int64_t first, int64_t last) {
    switch (m.op) {
#define DRYDOCK_CASE(name) \
    case Binary::name:     \
        return map_binary<Binary::name>(m, first, last);
        DRYDOCK_CASE(add)
        DRYDOCK_CASE(sub)
        DRYDOCK_CASE(mul)
        DRYDOCK_CASE(div)
        DRYDOCK_CASE(minimum)
        DRYDOCK_CASE(maximum)
        DRYDOCK_CASE(less)
        DRYDOCK_CASE(less_equal)
        DRYDOCK_CASE(equal)
        DRYDOCK_CASE(relu_gradient)
        DRYDOCK_CASE(tanh_gradient)
        DRYDOCK_CASE(gelu_gradient)
#undef DRYDOCK_CASE
    }
}

void run_where(const WhereMap& m, int64_t first, int64_t last) {
    const Walk<4> walk = walk_of(m);
    float* y = static_cast<float*>(m.y.data);
    walk.for_runs(
        first * kBlock,
        end_of(m, last), [&](const int64_t* at, int64_t n) __attribute__((always_inline)) {
            map_run(WhereOp(), n, y + at[3], Source(m.condition.data, at[0], walk.stride(0)),
                    Source(m.a.data, at[1], walk.stride(1)),
                    Source(m.b.data, at[2], walk.stride(2)));
        });
}

}  // namespace

CpuKernel<UnaryMap> unary() { return {check_unary, units<UnaryMap>, run_unary}; }

CpuKernel<BinaryMap> binary() { return {check_binary, units<BinaryMap>, run_binary}; }

CpuKernel<WhereMap> where() { return {check_where, units<WhereMap>, run_where}; }

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
