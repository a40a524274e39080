// Shapes of up to four dimensions and the strides that go with them, in elements.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace drydock {

constexpr int kMaxRank = 4;

// Dimensions, outermost first. Rank 0 is a scalar: one element.
class Shape {
  public:
    Shape() = default;
    Shape(std::initializer_list<std::int64_t> dims);

    int rank() const { return rank_; }
    std::int64_t operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
    std::int64_t& operator[](int axis) { return dims_[static_cast<std::size_t>(axis)]; }
    std::int64_t size() const;  // number of elements
    void push_back(std::int64_t dim);
    bool operator==(const Shape& other) const;

  private:
    int rank_ = 0;
    std::array<std::int64_t, kMaxRank> dims_{};
};

// One stride per dimension of a shape; 0 repeats the same element.
using Strides = std::array<std::int64_t, kMaxRank>;

Strides contiguous_strides(const Shape& shape);
bool is_contiguous(const Shape& shape, const Strides& strides);

// "(256, 17)"; "()" for a scalar.
std::string to_string(const Shape& shape);

// The shape that two operands broadcast to by NumPy's rules: aligned at the last dimension, a
// dimension of 1 repeats. Throws Error naming `op` when they do not fit.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

}  // namespace drydock
