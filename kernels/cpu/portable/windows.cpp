// Windows of episodes: a binary search per window.
#include "kernels/api/windows.h"

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

Status check(const WindowRows& w) {
    return valid(w.K >= 1 && w.last_timestep >= 0 && w.n >= 0 && w.episodes >= 1);
}

std::int64_t units(const WindowRows& w) { return ceil_div(w.n, rows_per_unit(w.K)); }

void window(const WindowRows& w, std::int64_t i) {
    const std::int64_t start = w.starts[i], end_of_data = w.offsets[w.episodes];
    std::int64_t *rows = w.rows + i * w.K, *timesteps = w.timesteps + i * w.K;
    if (start < 0 || start >= end_of_data) {
        std::fill_n(rows, w.K, -1);
        std::fill_n(timesteps, w.K, 0);
        return;
    }
    const std::int64_t* end = std::upper_bound(w.offsets, w.offsets + w.episodes, start);
    const std::int64_t first = end[-1], steps = std::min(w.K, *end - start);
    const std::int64_t before = w.left ? w.K - steps : 0;
    for (std::int64_t k = 0; k < w.K; ++k) {
        const std::int64_t step = k - before;
        const bool inside = step >= 0 && step < steps;
        rows[k] = inside ? start + step : end_of_data;
        timesteps[k] = step < 0 ? 0 : std::min(start - first + step, w.last_timestep);
    }
}

void run(const WindowRows& w, std::int64_t first, std::int64_t last) {
    const std::int64_t block = rows_per_unit(w.K), end = std::min(last * block, w.n);
    for (std::int64_t i = first * block; i < end; ++i) window(w, i);
}

}  // namespace

CpuKernel<WindowRows> window_rows() { return {check, units, run}; }

}  // namespace drydock::kernels::portable
