// What is said about repeated measurements.
#pragma once

#include <vector>

namespace drydock::measure {

// Of rounds in any order. The median of an even number of them is the mean of the middle two; the
// quartiles are the values a quarter of the way from either end.
struct Summary {
    double median = 0, low = 0, high = 0;  // low and high: quartiles
    double least = 0, most = 0;            // of all rounds
    double spread() const {                // of the quartiles, as a share of the median
        return median > 0 ? (high - low) / median : 0;
    }
};

// Throws Error for no values.
Summary summarize(std::vector<double> values);

// Seconds of a clock that only goes forward.
double now_seconds();

}  // namespace drydock::measure
