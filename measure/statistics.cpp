#include "measure/statistics.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/error.h"

namespace drydock::measure {

Summary summarize(std::vector<double> values) {
    if (values.empty()) throw Error("[measure] expected a round or more, got none");
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    const double median = n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
    return {median, values[n / 4], values[n - 1 - n / 4], values.front(), values.back()};
}

double now_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace drydock::measure
