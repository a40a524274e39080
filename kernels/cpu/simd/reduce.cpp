// Sums and means over a middle dimension whose inner one is contiguous, in f32: rows are added
// whole, as memory has them. Every output is a sum of sums of kBlock terms, in ascending order.
#include "kernels/api/reduce.h"

#include "base/simd.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/simd/kernels.h"

namespace drydock::kernels {
inline namespace DRYDOCK_SIMD_NAMESPACE {
namespace {

using simd::F32;
using simd::kLanes;

constexpr int64_t kColumns = 1024;   // outputs that are summed side by side, at most
constexpr int64_t kFewColumns = 64;  // the same where there are few outer rows
constexpr int64_t kManyOuter = 16;   // not few
constexpr int64_t kBlock = 16;       // terms that are added one after the other
constexpr int64_t kLongest = kBlock * kBlock;
constexpr int64_t kLeastInner = 16;  // below it lanes would be idle

Status check(const Reduce& r) {
    const bool sum = r.op == Reduction::sum || r.op == Reduction::mean;
    const bool fits = r.inner >= kLeastInner && r.length <= kLongest;
    return sum && fits && r.dtype == DType::f32 ? portable::reduce().check(r) : Status::unsupported;
}

int64_t columns_of(const Reduce& r) { return r.outer < kManyOuter ? kFewColumns : kColumns; }

int64_t parts_of(const Reduce& r) { return (r.inner + columns_of(r) - 1) / columns_of(r); }

int64_t units(const Reduce& r) { return r.outer * parts_of(r); }

// Calls body(c, n) for the vectors of `columns` elements.
template <class F>
DRYDOCK_INLINE void for_vectors(int64_t columns, const F& body) {
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) body(c, int64_t{kLanes});
    if (c < columns) body(c, columns - c);
}

// sums = the sum of `length` rows of x.
DRYDOCK_INLINE void sum_block(const float* x, int64_t stride, int64_t length, int64_t columns,
                              float* sums) {
    for (int64_t l = 0; l < length; ++l, x += stride) {
        for_vectors(
            columns, [&](int64_t c, int64_t n) __attribute__((always_inline)) {
                const F32 v = simd::load_first(x + c, n);
                simd::store(sums + c, l == 0 ? v : simd::add(simd::load(sums + c), v));
            });
    }
}

void unit(const Reduce& r, int64_t outer, int64_t column) {
    alignas(64) float block[kColumns + kLanes], total[kColumns + kLanes];
    const int64_t left = r.inner - column;
    const int64_t columns = left < columns_of(r) ? left : columns_of(r);
    const float* x = static_cast<const float*>(r.x) + outer * r.length * r.inner + column;
    float* y = static_cast<float*>(r.y) + outer * r.inner + column;
    sum_block(x, r.inner, r.length < kBlock ? r.length : kBlock, columns, total);
    for (int64_t l = kBlock; l < r.length; l += kBlock) {
        const int64_t rest = r.length - l;
        sum_block(x + l * r.inner, r.inner, rest < kBlock ? rest : kBlock, columns, block);
        for_vectors(
            columns, [&](int64_t c, int64_t) __attribute__((always_inline)) {
                simd::store(total + c, simd::add(simd::load(total + c), simd::load(block + c)));
            });
    }
    const F32 divisor = simd::broadcast(static_cast<float>(r.length));
    for_vectors(
        columns, [&](int64_t c, int64_t n) __attribute__((always_inline)) {
            const F32 sum = simd::load(total + c);
            const F32 v = r.op == Reduction::mean ? simd::div(sum, divisor) : sum;
            simd::store_first(y + c, v, n);
        });
}

void run(const Reduce& r, int64_t first, int64_t last) {
    const int64_t parts = parts_of(r);
    for (int64_t u = first; u < last; ++u) unit(r, u / parts, u % parts * columns_of(r));
}

}  // namespace

CpuKernel<Reduce> reduce() { return {check, units, run}; }

}  // namespace DRYDOCK_SIMD_NAMESPACE
}  // namespace drydock::kernels
