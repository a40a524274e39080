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

std::int64_t units(const Matmul& a) { return tile_count(a.M, a.N); }

template <class T>
void unit(const Matmul& m, std::int64_t u) {
    const TileRange t = tile_range(u, m.M, m.N);
    Tile<T> sums;
    multiply(sums, t, m.K, {m.a, m.lda, m.transpose_a}, {m.b, m.ldb, m.transpose_b});
    store(sums, t, m.c, m.ldc, [](T v, std::int64_t, std::int64_t) { return v; });
}

}  // namespace

CpuKernel<Matmul> matmul() { return {check, units, run_units<Matmul, unit<float>, unit<double>>}; }

}  // namespace drydock::kernels::portable
