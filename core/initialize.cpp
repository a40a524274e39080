#include "core/initialize.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"

namespace drydock {
namespace {

using Values = std::vector<double>;

Values uniform(std::int64_t n, double bound, std::uint64_t seed, std::uint64_t stream) {
    Values v(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < v.size(); ++i) {
        v[i] = bound * (2.0 * uniform_f64(seed, stream, 0, i) - 1.0);
    }
    return v;
}

Values normal(std::int64_t n, double deviation, std::uint64_t seed, std::uint64_t stream) {
    Values v(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = deviation * normal_f64(seed, stream, 0, i);
    return v;
}

// Gram-Schmidt, twice over for orthogonality to rounding, on the shorter side of a normal matrix.
Values orthogonal(const Shape& shape, double gain, std::uint64_t seed, std::uint64_t stream) {
    const std::int64_t columns = shape[shape.rank() - 1];
    const std::int64_t rows = shape.size() / columns;
    const std::int64_t vectors = std::min(rows, columns), length = std::max(rows, columns);
    Values v = normal(vectors * length, 1.0, seed, stream);
    for (std::int64_t i = 0; i < vectors; ++i) {
        double* a = v.data() + i * length;
        for (int pass = 0; pass < 2; ++pass) {
            for (std::int64_t j = 0; j < i; ++j) {
                const double* b = v.data() + j * length;
                double dot = 0;
                for (std::int64_t k = 0; k < length; ++k) dot += a[k] * b[k];
                for (std::int64_t k = 0; k < length; ++k) a[k] -= dot * b[k];
            }
        }
        double norm = 0;
        for (std::int64_t k = 0; k < length; ++k) norm += a[k] * a[k];
        for (std::int64_t k = 0; k < length; ++k) a[k] /= std::sqrt(norm);
    }
    Values out(v.size());
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
            const std::int64_t from = rows <= columns ? r * length + c : c * length + r;
            out[static_cast<std::size_t>(r * columns + c)] =
                gain * v[static_cast<std::size_t>(from)];
        }
    }
    return out;
}

}  // namespace

Initializer parse_initializer(const std::string& name) {
    if (name == "pytorch_default") return Initializer::pytorch_default;
    if (name == "orthogonal") return Initializer::orthogonal;
    if (name == "xavier") return Initializer::xavier;
    if (name == "normal") return Initializer::normal;
    if (name == "zeros") return Initializer::zeros;
    if (name == "ones") return Initializer::ones;
    throw Error(
        "[initializer] expected pytorch_default, orthogonal, xavier, normal, zeros or ones, "
        "got '" +
            name + "'",
        ErrorKind::usage);
}

std::vector<double> initial_values(const ParameterSpec& spec, std::uint64_t seed) {
    const std::uint64_t stream = stream_id(("init/" + spec.name).c_str());
    const std::int64_t n = spec.shape.size();
    const std::int64_t last = spec.shape.rank() > 0 ? spec.shape[spec.shape.rank() - 1] : 1;
    const auto fan_in = static_cast<double>(spec.fan_in ? spec.fan_in : last);
    const double fan_out = static_cast<double>(n) / static_cast<double>(last);
    switch (spec.initializer) {
        case Initializer::zeros:
            return Values(static_cast<std::size_t>(n), 0.0);
        case Initializer::ones:
            return Values(static_cast<std::size_t>(n), spec.gain);
        case Initializer::pytorch_default:
            return uniform(n, 1.0 / std::sqrt(fan_in), seed, stream);
        case Initializer::orthogonal:
            return orthogonal(spec.shape, spec.gain, seed, stream);
        case Initializer::xavier:
            return uniform(n, spec.gain * std::sqrt(6.0 / (fan_in + fan_out)), seed, stream);
        case Initializer::normal:
            return normal(n, spec.gain, seed, stream);
        case Initializer::uniform:
            return uniform(n, spec.gain, seed, stream);
        case Initializer::fan_out:
            return uniform(n, spec.gain / std::sqrt(fan_out), seed, stream);
    }
    return {};
}

}  // namespace drydock
