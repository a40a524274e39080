// Elementwise maps. A map is first reduced to the fewest dimensions that its strides allow; units
// are blocks of the flattened output, walked run by run along the innermost dimension. The
// operation is chosen once per run.
#include "kernels/api/elementwise.h"

#include <cmath>
#include <numbers>
#include <type_traits>

#include "kernels/cpu/portable/gelu.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"
#include "kernels/cpu/walk.h"

namespace drydock::kernels::portable {
namespace {

bool valid_shape(const MapShape& s) {
    return std::all_of(s.dims, s.dims + kMaxRank, [](std::int64_t d) { return d >= 0; });
}

// An output that repeats along a dimension would be written twice.
bool valid_result(const MapShape& s, const Result& y) {
    for (int d = 0; d < kMaxRank; ++d) {
        if (s.dims[d] > 1 && y.strides[d] == 0) return false;
    }
    return valid_shape(s);
}

// The loops over one run. Contiguous runs have their own so that the compiler vectorises them.
template <class T, class F>
void map_run(F f, std::int64_t n, const T* x, std::int64_t sx, T* y, std::int64_t sy) {
    if (sx == 1 && sy == 1) {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
    } else {
        for (std::int64_t i = 0; i < n; ++i) y[i * sy] = f(x[i * sx]);
    }
}

template <class T, class F>
void map_run(F f, std::int64_t n, const T* a, std::int64_t sa, const T* b, std::int64_t sb, T* y,
             std::int64_t sy) {
    if (sa == 1 && sb == 1 && sy == 1) {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
    } else if (sa == 1 && sb == 0 && sy == 1) {
        const T repeated = *b;
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], repeated);
    } else if (sa == 0 && sb == 1 && sy == 1) {
        const T repeated = *a;
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(repeated, b[i]);
    } else {
        for (std::int64_t i = 0; i < n; ++i) y[i * sy] = f(a[i * sa], b[i * sb]);
    }
}

template <class Args>
std::int64_t map_units(const Args& m) {
    return ceil_div(elements_of(m.shape), kBlock);
}

template <class T>
T sigmoid(T x) {
    const T e = std::exp(-std::abs(x));  // never overflows
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

template <class T>
T softplus(T x) {
    return (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::abs(x)));
}

Status check_unary(const UnaryMap& m) {
    const bool integers = m.dtype == DType::i64 && m.op == Unary::copy;
    return valid((is_float(m.dtype) || integers) && valid_result(m.shape, m.y));
}

// Calls map(f) with the function of one element.
template <class T, class Map>
void with_unary(Unary op, T p, T q, Map map) {
    switch (op) {
        case Unary::copy:
            return map([](T x) { return x; });
        case Unary::negate:
            return map([](T x) { return -x; });
        case Unary::exp:
            return map([](T x) { return std::exp(x); });
        case Unary::log:
            return map([](T x) { return std::log(x); });
        case Unary::sqrt:
            return map([](T x) { return std::sqrt(x); });
        case Unary::square:
            return map([](T x) { return x * x; });
        case Unary::absolute:
            return map([](T x) { return std::abs(x); });
        case Unary::relu:
            return map([](T x) { return x < 0 ? T(0) : x; });
        case Unary::tanh:
            return map([](T x) { return std::tanh(x); });
        case Unary::sigmoid:
            return map([](T x) { return sigmoid(x); });
        case Unary::softplus:
            return map([](T x) { return softplus(x); });
        case Unary::gelu:
            return map([](T x) { return gelu(x); });
        case Unary::add_scalar:
            return map([p](T x) { return x + p; });
        case Unary::mul_scalar:
            return map([p](T x) { return x * p; });
        case Unary::rsub_scalar:
            return map([p](T x) { return p - x; });
        case Unary::rdiv_scalar:
            return map([p](T x) { return p / x; });
        case Unary::min_scalar:
            return map([p](T x) { return p < x ? p : x; });
        case Unary::max_scalar:
            return map([p](T x) { return x < p ? p : x; });
        case Unary::clamp:
            return map([p, q](T x) {
                const T low = x < p ? p : x;
                return q < low ? q : low;
            });
        case Unary::positive:
            return map([](T x) { return x > 0 ? T(1) : T(0); });
        case Unary::inside:
            return map([p, q](T x) { return p <= x && x <= q ? T(1) : T(0); });
    }
}

// As Walk::for_runs, over the elements of a unit.
template <int K, class F>
void for_unit_runs(const Walk<K>& walk, std::int64_t unit, const MapShape& shape, F body) {
    const Range r = block_range(unit, kBlock, elements_of(shape));
    walk.for_runs(r.first, r.last, body);
}

template <class T>
void unary_unit(const UnaryMap& m, std::int64_t unit) {
    const Walk<2> walk(m.shape, {m.x.strides, m.y.strides});
    const T* x = static_cast<const T*>(m.x.data);
    T* y = static_cast<T*>(m.y.data);
    const auto run = [&](const std::int64_t* at, std::int64_t n) {
        const auto map = [&](auto f) {
            map_run(f, n, x + at[0], walk.stride(0), y + at[1], walk.stride(1));
        };
        if constexpr (std::is_integral_v<T>) {
            map([](T v) { return v; });
        } else {
            with_unary<T>(m.op, static_cast<T>(m.p), static_cast<T>(m.q), map);
        }
    };
    for_unit_runs(walk, unit, m.shape, run);
}

void run_unary(const UnaryMap& m, std::int64_t first, std::int64_t last) {
    const auto unit = m.dtype == DType::f32   ? unary_unit<float>
                      : m.dtype == DType::f64 ? unary_unit<double>
                                              : unary_unit<std::int64_t>;
    for (std::int64_t u = first; u < last; ++u) unit(m, u);
}

Status check_binary(const BinaryMap& m) {
    return valid(is_float(m.dtype) && valid_result(m.shape, m.y));
}

template <class T, class Map>
void with_binary(Binary op, Map map) {
    switch (op) {
        case Binary::add:
            return map([](T a, T b) { return a + b; });
        case Binary::sub:
            return map([](T a, T b) { return a - b; });
        case Binary::mul:
            return map([](T a, T b) { return a * b; });
        case Binary::div:
            return map([](T a, T b) { return a / b; });
        case Binary::minimum:
            return map([](T a, T b) { return a < b || std::isnan(a) ? a : b; });
        case Binary::maximum:
            return map([](T a, T b) { return a > b || std::isnan(a) ? a : b; });
        case Binary::less:
            return map([](T a, T b) { return a < b ? T(1) : T(0); });
        case Binary::less_equal:
            return map([](T a, T b) { return a <= b ? T(1) : T(0); });
        case Binary::equal:
            return map([](T a, T b) { return a == b ? T(1) : T(0); });
        case Binary::relu_gradient:
            return map([](T a, T b) { return b > 0 ? a : T(0); });
        case Binary::tanh_gradient:
            return map([](T a, T b) { return a * (1 - b * b); });
        case Binary::gelu_gradient:
            return map([](T a, T b) { return a * gelu_derivative(b); });
    }
}

template <class T>
void binary_unit(const BinaryMap& m, std::int64_t unit) {
    const Walk<3> walk(m.shape, {m.a.strides, m.b.strides, m.y.strides});
    const T *a = static_cast<const T*>(m.a.data), *b = static_cast<const T*>(m.b.data);
    T* y = static_cast<T*>(m.y.data);
    const auto run = [&](const std::int64_t* at, std::int64_t n) {
        with_binary<T>(m.op, [&](auto f) {
            map_run(f, n, a + at[0], walk.stride(0), b + at[1], walk.stride(1), y + at[2],
                    walk.stride(2));
        });
    };
    for_unit_runs(walk, unit, m.shape, run);
}

Status check_where(const WhereMap& m) {
    return valid(is_float(m.dtype) && valid_result(m.shape, m.y));
}

template <class T>
void where_unit(const WhereMap& m, std::int64_t unit) {
    const Walk<4> walk(m.shape, {m.condition.strides, m.a.strides, m.b.strides, m.y.strides});
    const T* condition = static_cast<const T*>(m.condition.data);
    const T *a = static_cast<const T*>(m.a.data), *b = static_cast<const T*>(m.b.data);
    T* y = static_cast<T*>(m.y.data);
    for_unit_runs(walk, unit, m.shape, [&](const std::int64_t* at, std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) {
            const T c = condition[at[0] + i * walk.stride(0)];
            const T va = a[at[1] + i * walk.stride(1)];
            const T vb = b[at[2] + i * walk.stride(2)];
            y[at[3] + i * walk.stride(3)] = c != 0 ? va : vb;
        }
    });
}

Status check_fill(const Fill& f) { return valid(is_float(f.dtype) && f.n >= 0); }

std::int64_t fill_units(const Fill& f) { return ceil_div(f.n, kBlock); }

template <class T>
void fill_unit(const Fill& f, std::int64_t unit) {
    const Range r = block_range(unit, kBlock, f.n);
    T* y = static_cast<T*>(f.y);
    if (f.step == 0.0) return std::fill(y + r.first, y + r.last, static_cast<T>(f.value));
    for (std::int64_t i = r.first; i < r.last; ++i) {
        y[i] = static_cast<T>(f.value + f.step * static_cast<double>(i));
    }
}

}  // namespace

CpuKernel<UnaryMap> unary() { return {check_unary, map_units<UnaryMap>, run_unary}; }

CpuKernel<BinaryMap> binary() {
    return {check_binary, map_units<BinaryMap>,
            run_units<BinaryMap, binary_unit<float>, binary_unit<double>>};
}

CpuKernel<WhereMap> where() {
    return {check_where, map_units<WhereMap>,
            run_units<WhereMap, where_unit<float>, where_unit<double>>};
}

CpuKernel<Fill> fill() {
    return {check_fill, fill_units, run_units<Fill, fill_unit<float>, fill_unit<double>>};
}

}  // namespace drydock::kernels::portable
