#include "data/normalizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace drydock::data {

Normalizer Normalizer::identity(std::int64_t observation_size) {
    const auto size = static_cast<std::size_t>(observation_size);
    return {std::vector<float>(size, 0.0f), std::vector<float>(size, 1.0f)};
}

bool Normalizer::is_identity() const {
    return std::all_of(mean.begin(), mean.end(), [](float m) { return m == 0.0f; }) &&
           std::all_of(std.begin(), std.end(), [](float s) { return s == 1.0f; });
}

void Normalizer::apply(std::span<float> observations) const {
    const std::size_t size = mean.size();
    if (size == 0 || observations.size() % size != 0) {
        throw Error(fmt::format("[normalizer] expected observations of size {}, got {} numbers",
                                size, observations.size()));
    }
    for (std::size_t row = 0; row < observations.size(); row += size) {
        for (std::size_t j = 0; j < size; ++j) {
            observations[row + j] = (observations[row + j] - mean[j]) / std[j];
        }
    }
}

void Normalizer::apply(Transitions& transitions) const {
    if (static_cast<std::int64_t>(mean.size()) != transitions.observation_size) {
        throw Error(fmt::format("[normalizer] expected observations of size {}, got {}",
                                mean.size(), transitions.observation_size));
    }
    apply(std::span(transitions.observations));
    apply(std::span(transitions.next_observations));
}

Normalizer fit_normalizer(std::span<const float> observations, std::int64_t observation_size,
                          double epsilon) {
    const auto size = static_cast<std::size_t>(std::max<std::int64_t>(observation_size, 1));
    if (observations.empty() || observations.size() % size != 0) {
        throw Error(fmt::format("[normalizer] expected rows of {} numbers, got {} numbers",
                                observation_size, observations.size()));
    }
    const std::size_t row_count = observations.size() / size;
    const auto rows = static_cast<double>(row_count);
    // Two passes: the mean first, so that squares of small differences are summed, not of values.
    std::vector<double> mean(size, 0.0), square(size, 0.0);
    for (std::size_t i = 0; i < observations.size(); i += size) {
        for (std::size_t j = 0; j < size; ++j) mean[j] += double{observations[i + j]};
    }
    for (double& m : mean) m /= rows;
    for (std::size_t i = 0; i < observations.size(); i += size) {
        for (std::size_t j = 0; j < size; ++j) {
            const double difference = double{observations[i + j]} - mean[j];
            square[j] += difference * difference;
        }
    }
    Normalizer normalizer;
    for (std::size_t j = 0; j < size; ++j) {
        const double deviation = std::sqrt(square[j] / rows) + epsilon;
        if (!(deviation > 0)) {
            throw Error(
                fmt::format("[normalizer] expected observations that vary or an epsilon "
                            "above 0, got constant {} in dimension {} and epsilon {}",
                            mean[j], j, epsilon));
        }
        normalizer.mean.push_back(static_cast<float>(mean[j]));
        normalizer.std.push_back(static_cast<float>(deviation));
    }
    return normalizer;
}

Normalizer fit_normalizer(const Transitions& transitions, double epsilon) {
    return fit_normalizer(transitions.observations, transitions.observation_size, epsilon);
}

}  // namespace drydock::data
