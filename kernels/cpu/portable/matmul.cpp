// The plain product of two matrices, each of them possibly transposed.
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/product.h"

namespace drydock::kernels::portable {
namespace {

Status check(const Matmul& a) {
    const bool sizes = a.M >= 0 && a.N >= 0 && a.K >= 0;
    const bool strides = a.lda >= (a.transpose_a ? a.M : a.K) &&
                         a.ldb >= (a.transpose_b ? a.K : a.N) && a.ldc >= a.N;
    return valid(is_float(a.dtype) && sizes && strides);
}

std::int64_t units(const Matmul& a) {
    return tile_count(a.M, a.N);
}

template <class T>
void unit(const Matmul& m, std::int64_t u) {
    const TileRange t = tile_range(u, m.M, m.N);
    Tile<T> sums;
    const auto times_b = [&](const auto& a) {
        if (m.transpose_b) {
            multiply(sums, a,
                     view<T>(m.b, m.N, m.K, m.ldb).middleRows(t.column, t.columns).transpose());
        } else {
            multiply(sums, a, view<T>(m.b, m.K, m.N, m.ldb).middleCols(t.column, t.columns));
        }
    };
    if (m.transpose_a) {
        times_b(view<T>(m.a, m.K, m.M, m.lda).middleCols(t.row, t.rows).transpose());
    } else {
        times_b(view<T>(m.a, m.M, m.K, m.lda).middleRows(t.row, t.rows));
    }
    store(sums, t, m.c, m.ldc, [](T v, std::int64_t, std::int64_t) { return v; });
}

}  // namespace

CpuKernel<Matmul> matmul() {
    return {check, units, run_units<Matmul, unit<float>, unit<double>>};
}

}  // namespace drydock::kernels::portable
