// The nodes that advance the hyper block: one unit each.
#include "kernels/api/hyper.h"

#include <cmath>

#include "kernels/cpu/portable/portable.h"
#include "kernels/cpu/portable/support.h"

namespace drydock::kernels::portable {
namespace {

constexpr double kPi = 3.14159265358979323846;

template <class Args>
Status always(const Args&) {
    return Status::ok;
}

template <class Args>
std::int64_t one_unit(const Args&) {
    return 1;
}

// The loop makes an empty range of units do nothing.
void run_tick(const Tick& t, std::int64_t first, std::int64_t last) {
    for (std::int64_t u = first; u < last; ++u) t.counters->step += 1;
}

double scheduled_rate(const OptimizerHyper& h) {
    const double k = static_cast<double>(h.t);
    switch (h.schedule) {
        case Schedule::constant:
            return h.learning_rate;
        case Schedule::cosine:
            return h.learning_rate / 2 * (1 + std::cos(kPi * k / h.horizon));
        case Schedule::warmup:
            return h.learning_rate * std::min((k + 1) / h.horizon, 1.0);
    }
    return h.learning_rate;
}

void run_optimizer_tick(const OptimizerTick& tick, std::int64_t first, std::int64_t last) {
    for (std::int64_t u = first; u < last; ++u) {
        OptimizerHyper& h = *tick.hyper;
        h.rate = scheduled_rate(h);
        h.t += 1;
        h.beta1_power *= h.beta1;
        h.beta2_power *= h.beta2;
        h.step_size = h.rate / (1 - h.beta1_power);
        h.inv_sqrt_bias2 = 1 / std::sqrt(1 - h.beta2_power);
    }
}

Status check_metric(const StoreMetric& m) {
    return valid(is_float(m.dtype) && m.rows >= 1 && m.column >= 0 && m.column < m.columns);
}

template <class T>
void metric_unit(const StoreMetric& m, std::int64_t) {
    const std::int64_t row = m.counters->step % m.rows;
    static_cast<T*>(m.ring)[row * m.columns + m.column] = *static_cast<const T*>(m.value);
}

}  // namespace

CpuKernel<Tick> tick() { return {always<Tick>, one_unit<Tick>, run_tick}; }

CpuKernel<OptimizerTick> optimizer_tick() {
    return {always<OptimizerTick>, one_unit<OptimizerTick>, run_optimizer_tick};
}

CpuKernel<StoreMetric> store_metric() {
    return {check_metric, one_unit<StoreMetric>,
            run_units<StoreMetric, metric_unit<float>, metric_unit<double>>};
}

}  // namespace drydock::kernels::portable
