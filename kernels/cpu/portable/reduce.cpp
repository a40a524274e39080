// Reductions over the middle dimension. Sums are accumulated in double. A unit is a block of the
// flattened output, so that a full reduction is a single unit.
#include "kernels/api/reduce.h"

#include <cmath>
#include <limits>

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

constexpr std::int64_t kColumns = 64;  // outputs that are reduced side by side

// `columns` neighbouring outputs: element l of output c is x[l * stride + c].
template <class T>
struct Slab {
    const T* x;
    std::int64_t length, stride, columns;
};

// sums[c] = sum over l of term(x, c).
template <class T, class F>
void sum_slab(const Slab<T>& s, double* sums, F term) {
    if (s.columns == 1) {
        sums[0] = sum_terms(s.length, [&](std::int64_t l) { return term(s.x[l * s.stride], 0); });
        return;
    }
    std::fill_n(sums, s.columns, 0.0);
    for (std::int64_t l = 0; l < s.length; ++l) {
        for (std::int64_t c = 0; c < s.columns; ++c) sums[c] += term(s.x[l * s.stride + c], c);
    }
}

// y[c] = the element x of output c for which before(x, other) holds against all others; NaN if one
// of them is.
template <class T, class F>
void choose_slab(const Slab<T>& s, T* y, F before) {
    std::copy_n(s.x, s.columns, y);
    for (std::int64_t l = 1; l < s.length; ++l) {
        for (std::int64_t c = 0; c < s.columns; ++c) {
            const T v = s.x[l * s.stride + c];
            if (before(v, y[c]) || v != v) y[c] = v;
        }
    }
}

template <class T>
void max_slab(const Slab<T>& s, T* y) {
    // A NaN that was chosen stays: no comparison with it holds.
    choose_slab(s, y, [](T a, T b) { return a > b; });
}

// max + log sum exp(x - max). Where the maximum is infinite or NaN, it is the result itself.
template <class T>
void logsumexp_slab(const Slab<T>& s, T* y) {
    double sums[kColumns];
    max_slab(s, y);
    sum_slab(s, sums, [&](T v, std::int64_t c) { return double{std::exp(v - y[c])}; });
    for (std::int64_t c = 0; c < s.columns; ++c) {
        if (std::isfinite(y[c])) y[c] = static_cast<T>(y[c] + std::log(sums[c]));
    }
}

template <class T>
void reduce_slab(Reduction op, const Slab<T>& s, T* y) {
    double sums[kColumns];
    const auto identity = [](T v, std::int64_t) { return double{v}; };
    switch (op) {
        case Reduction::sum:
            sum_slab(s, sums, identity);
            for (std::int64_t c = 0; c < s.columns; ++c) y[c] = static_cast<T>(sums[c]);
            return;
        case Reduction::mean:
            sum_slab(s, sums, identity);
            for (std::int64_t c = 0; c < s.columns; ++c) {
                y[c] = static_cast<T>(sums[c] / static_cast<double>(s.length));
            }
            return;
        case Reduction::max:
            return max_slab(s, y);
        case Reduction::min:
            return choose_slab(s, y, [](T a, T b) { return a < b; });
        case Reduction::logsumexp:
            return logsumexp_slab(s, y);
    }
}

Status check(const Reduce& r) {
    return valid(is_float(r.dtype) && r.outer >= 0 && r.length >= 1 && r.inner >= 0);
}

// Outputs of a unit: whole slabs, so that neighbours are read together.
std::int64_t outputs_per_unit(const Reduce& r) {
    return ceil_div(rows_per_unit(r.length), kColumns) * kColumns;
}

std::int64_t units(const Reduce& r) { return ceil_div(r.outer * r.inner, outputs_per_unit(r)); }

template <class T>
void unit(const Reduce& r, std::int64_t u) {
    const Range range = block_range(u, outputs_per_unit(r), r.outer * r.inner);
    for (std::int64_t i = range.first; i < range.last;) {
        const std::int64_t outer = i / r.inner, column = i % r.inner;
        const std::int64_t columns = std::min({kColumns, r.inner - column, range.last - i});
        const T* x = static_cast<const T*>(r.x) + outer * r.length * r.inner + column;
        reduce_slab<T>(r.op, {x, r.length, r.inner, columns}, static_cast<T*>(r.y) + i);
        i += columns;
    }
}

}  // namespace

CpuKernel<Reduce> reduce() { return {check, units, run_units<Reduce, unit<float>, unit<double>>}; }

}  // namespace drydock::kernels::portable
