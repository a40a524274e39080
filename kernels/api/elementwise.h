// Elementwise maps over up to four dimensions with a stride per operand (0 repeats an operand along
// a dimension: that is how broadcasting reaches a kernel). All operands have the dtype of the
// struct, f32 or f64; Copy also takes i64. An output may alias an input that has its exact strides.
#pragma once

#include "kernels/api/kernel.h"

namespace drydock::kernels {

constexpr int kMaxRank = 4;

// Dimensions of a map, outermost first; unused leading ones are 1. Strides are in elements.
struct MapShape {
    std::int64_t dims[kMaxRank];
};
struct Operand {
    const void* data;
    std::int64_t strides[kMaxRank];
};
struct Result {
    void* data;
    std::int64_t strides[kMaxRank];
};

enum class Unary : std::uint8_t {
    copy,         // x
    negate,       // -x
    exp,          // e^x
    log,          // ln x
    sqrt,         // square root
    square,       // x x
    absolute,     // |x|
    relu,         // max(x, 0); relu(NaN) is NaN
    tanh,         // hyperbolic tangent
    sigmoid,      // 1 / (1 + e^-x)
    softplus,     // ln(1 + e^x), stable for large |x|
    gelu,         // x (1 + erf(x / sqrt 2)) / 2
    add_scalar,   // x + p
    mul_scalar,   // x p
    rsub_scalar,  // p - x
    rdiv_scalar,  // p / x
    min_scalar,   // min(x, p); NaN stays NaN
    max_scalar,   // max(x, p); NaN stays NaN
    clamp,        // min(max(x, p), q); NaN stays NaN
    positive,     // 1 where x > 0, else 0
    inside,       // 1 where p <= x <= q, else 0 (the derivative of clamp)
};

struct UnaryMap {
    DType dtype;
    Unary op;
    double p, q;  // parameters, rounded to dtype first
    MapShape shape;
    Operand x;
    Result y;
};

enum class Binary : std::uint8_t {
    add,            // a + b
    sub,            // a - b
    mul,            // a b
    div,            // a / b
    minimum,        // the smaller; NaN if either is
    maximum,        // the larger; NaN if either is
    less,           // 1 where a < b, else 0
    less_equal,     // 1 where a <= b, else 0
    equal,          // 1 where a == b, else 0
    relu_gradient,  // a where b > 0, else 0: b is the output of relu
    tanh_gradient,  // a (1 - b^2): b is the output of tanh
    gelu_gradient,  // a d gelu(b) / db: b is the input of gelu
};

struct BinaryMap {
    DType dtype;
    Binary op;
    MapShape shape;
    Operand a, b;
    Result y;
};

// y = condition != 0 ? a : b
struct WhereMap {
    DType dtype;
    MapShape shape;
    Operand condition, a, b;
    Result y;
};

// y[i] = value + step i, computed in double
struct Fill {
    DType dtype;
    double value;
    std::int64_t n;
    void* y;
    double step = 0.0;
};

}  // namespace drydock::kernels
