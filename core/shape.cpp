#include "core/shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace drydock {

Shape::Shape(std::initializer_list<std::int64_t> dims) {
    for (std::int64_t d : dims) push_back(d);
}

void Shape::push_back(std::int64_t dim) {
    if (rank_ == kMaxRank) throw Error("[shape] expected at most 4 dimensions; reshape first");
    if (dim < 0) throw Error(fmt::format("[shape] expected dimensions >= 0, got {}", dim));
    dims_[static_cast<std::size_t>(rank_++)] = dim;
}

std::int64_t Shape::size() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) {
        if (__builtin_mul_overflow(n, (*this)[i], &n)) {
            throw Error("[shape] the number of elements of " + to_string(*this) +
                        " does not fit into 63 bits; choose smaller sizes");
        }
    }
    return n;
}

bool Shape::operator==(const Shape& other) const {
    return rank_ == other.rank_ &&
           std::equal(dims_.begin(), dims_.begin() + rank_, other.dims_.begin());
}

Strides contiguous_strides(const Shape& shape) {
    Strides strides{};
    std::int64_t step = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
        strides[static_cast<std::size_t>(i)] = step;
        step *= shape[i];
    }
    return strides;
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
    const Strides want = contiguous_strides(shape);
    for (int i = 0; i < shape.rank(); ++i) {
        const auto k = static_cast<std::size_t>(i);
        if (shape[i] != 1 && strides[k] != want[k]) return false;
    }
    return true;
}

std::string to_string(const Shape& shape) {
    std::string text = "(";
    for (int i = 0; i < shape.rank(); ++i) text += fmt::format("{}{}", i ? ", " : "", shape[i]);
    return text + ")";
}

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
    const int rank = std::max(a.rank(), b.rank());
    Shape out;
    for (int i = 0; i < rank; ++i) {
        const int ia = i - (rank - a.rank());
        const int ib = i - (rank - b.rank());
        const std::int64_t da = ia < 0 ? 1 : a[ia];
        const std::int64_t db = ib < 0 ? 1 : b[ib];
        if (da != db && da != 1 && db != 1) {
            throw Error(fmt::format(
                "[{}] expected shapes that broadcast, got {} and {}: dimension {} is {} and {}", op,
                to_string(a), to_string(b), i, da, db));
        }
        out.push_back(da == 1 ? db : da);
    }
    return out;
}

}  // namespace drydock
