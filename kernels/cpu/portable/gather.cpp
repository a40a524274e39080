// Rows by index. Gathering splits the output rows over units; scattering splits the columns, so
// that one unit adds all contributions to an element, in the order of the indices.
#include "kernels/api/gather.h"

#include <limits>

#include "kernels/api/hyper.h"
#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

constexpr std::int64_t kScatterColumns = 64;

bool gatherable(DType dtype) { return is_float(dtype) || dtype == DType::i64; }

// What stands in the place of a row that does not exist.
template <class T>
constexpr T missing() {
    return std::numeric_limits<T>::has_quiet_NaN ? std::numeric_limits<T>::quiet_NaN() : T(0);
}

// out[0, n) = table's row `index` from `column` on.
template <class T>
void copy_row(const void* table, std::int64_t rows, std::int64_t ld, std::int64_t index,
              std::int64_t column, std::int64_t n, T* out) {
    if (index >= 0 && index < rows) {
        std::copy_n(static_cast<const T*>(table) + index * ld + column, n, out);
    } else {
        std::fill_n(out, n, missing<T>());
    }
}

template <class Args, void (*unit_f32)(const Args&, std::int64_t),
          void (*unit_f64)(const Args&, std::int64_t), void (*unit_i64)(const Args&, std::int64_t)>
void run_rows(const Args& g, std::int64_t first, std::int64_t last) {
    const auto unit = g.dtype == DType::f32   ? unit_f32
                      : g.dtype == DType::f64 ? unit_f64
                                              : unit_i64;
    for (std::int64_t u = first; u < last; ++u) unit(g, u);
}

Status check_gather(const GatherRows& g) {
    return valid(gatherable(g.dtype) && g.rows >= 0 && g.width >= 0 && g.ld_table >= g.width &&
                 g.n >= 0);
}

std::int64_t gather_units(const GatherRows& g) { return ceil_div(g.n, rows_per_unit(g.width)); }

template <class T>
void gather_unit(const GatherRows& g, std::int64_t unit) {
    const Range r = block_range(unit, rows_per_unit(g.width), g.n);
    for (std::int64_t i = r.first; i < r.last; ++i) {
        T* out = static_cast<T*>(g.out) + i * g.width;
        copy_row(g.table, g.rows, g.ld_table, g.indices[i], 0, g.width, out);
    }
}

Status check_scatter(const ScatterAddRows& s) {
    return valid(is_float(s.dtype) && s.rows >= 0 && s.width >= 0 && s.n >= 0);
}

std::int64_t scatter_units(const ScatterAddRows& s) { return ceil_div(s.width, kScatterColumns); }

template <class T>
void scatter_unit(const ScatterAddRows& s, std::int64_t unit) {
    const Range columns = block_range(unit, kScatterColumns, s.width);
    T* table = static_cast<T*>(s.table_gradient);
    for (std::int64_t r = 0; r < s.rows; ++r) {
        std::fill(table + r * s.width + columns.first, table + r * s.width + columns.last, T(0));
    }
    for (std::int64_t i = 0; i < s.n; ++i) {
        const std::int64_t r = s.indices[i];
        if (r < 0 || r >= s.rows) continue;
        const T* d = static_cast<const T*>(s.d) + i * s.width;
        for (std::int64_t c = columns.first; c < columns.last; ++c) table[r * s.width + c] += d[c];
    }
}

Status check_select(const SelectRow& s) {
    return valid(gatherable(s.dtype) && s.rows >= 0 && s.width >= 0);
}

std::int64_t select_units(const SelectRow& s) { return ceil_div(s.width, kBlock); }

template <class T>
void select_unit(const SelectRow& s, std::int64_t unit) {
    const Range r = block_range(unit, kBlock, s.width);
    copy_row(s.table, s.rows, s.width, s.counters->step, r.first, r.last - r.first,
             static_cast<T*>(s.out) + r.first);
}

}  // namespace

CpuKernel<GatherRows> gather_rows() {
    return {
        check_gather, gather_units,
        run_rows<GatherRows, gather_unit<float>, gather_unit<double>, gather_unit<std::int64_t>>};
}

CpuKernel<ScatterAddRows> scatter_add_rows() {
    return {check_scatter, scatter_units,
            run_units<ScatterAddRows, scatter_unit<float>, scatter_unit<double>>};
}

CpuKernel<SelectRow> select_row() {
    return {
        check_select, select_units,
        run_rows<SelectRow, select_unit<float>, select_unit<double>, select_unit<std::int64_t>>};
}

}  // namespace drydock::kernels::portable
