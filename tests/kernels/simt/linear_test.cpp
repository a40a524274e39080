// The three kernels of linear.cu against loops in double.
#include "kernels/cuda/launchers.h"
#include "tests/kernels/oracle.h"
#include "tests/kernels/simt/harness.h"

namespace drydock::kernels::cuda {
namespace {

using simt::DeviceArray;
using simt::Expected;

struct Shape {
    std::int64_t N, I, O;
};

// Every odd size in every dimension, with two or more tiles in the others, and some corners.
std::vector<Shape> shapes() {
    std::vector<Shape> all = {{1, 1, 1}, {64, 64, 64}, {257, 100, 65}, {2, 257, 3}};
    for (const std::int64_t size : simt::kOddSizes) {
        all.push_back({size, 33, 65});
        all.push_back({65, size, 33});
        all.push_back({33, 65, size});
    }
    return all;
}

constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::tanh,
                                       Activation::gelu};

Expected activated(Expected sum, Activation activation) {
    if (activation == Activation::relu) sum.value = std::fmax(sum.value, 0.0);
    if (activation == Activation::tanh) {
        sum.value = std::tanh(sum.value);
        sum.magnitude += 1;
    }
    if (activation == Activation::gelu) sum.value *= oracle::normal_below(sum.value);
    return sum;
}

// Of an Expected sum, gelu's derivative.
Expected gelu_derivative(Expected sum) {
    sum.value = oracle::gelu_derivative(sum.value);
    sum.magnitude += 1;
    return sum;
}

float slope(Activation activation, float y) {
    if (activation == Activation::relu) return y > 0 ? 1.0f : 0.0f;
    if (activation == Activation::tanh) return 1 - y * y;
    if (activation == Activation::gelu) return y;
    return 1;
}

// Rows `width` wide at a distance of `ld`; the gaps hold NaN, which shows if it is ever used.
std::vector<float> with_gaps(const std::vector<float>& packed, std::int64_t width,
                             std::int64_t ld) {
    const std::int64_t rows = static_cast<std::int64_t>(packed.size()) / width;
    std::vector<float> out(static_cast<std::size_t>(rows * ld), NAN);
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < width; ++c) out[r * ld + c] = packed[r * width + c];
    }
    return out;
}

// The reverse; every gap has to hold what fresh memory holds.
std::vector<float> without_gaps(const std::vector<float>& array, std::int64_t width,
                                std::int64_t ld) {
    std::vector<float> out;
    for (std::size_t i = 0; i < array.size(); ++i) {
        if (static_cast<std::int64_t>(i) % ld < width) {
            out.push_back(array[i]);
        } else {
            CHECK(std::isnan(array[i]));
        }
    }
    return out;
}

void check_forward(Shape s, Activation activation, bool with_bias, std::int64_t pad) {
    const auto x = simt::random_values(s.N * s.I, 1);
    const auto w = simt::random_values(s.O * s.I, 2);
    const auto bias = simt::random_values(s.O, 3);
    std::vector<Expected> want, want_slope;
    for (std::int64_t n = 0; n < s.N; ++n) {
        for (std::int64_t o = 0; o < s.O; ++o) {
            Expected sum;
            for (std::int64_t i = 0; i < s.I; ++i) {
                sum.add(static_cast<double>(x[n * s.I + i]) * w[o * s.I + i]);
            }
            if (with_bias) sum.add(bias[o]);
            want.push_back(activated(sum, activation));
            want_slope.push_back(gelu_derivative(sum));
        }
    }
    DeviceArray<float> dx(with_gaps(x, s.I, s.I + pad)), dw(w), db(bias);
    DeviceArray<float> y(static_cast<std::size_t>(s.N * (s.O + pad)));
    LinearForward args{DType::f32, activation, s.N,
                       s.I,        s.O,        dx.data(),
                       s.I + pad,  dw.data(),  with_bias ? db.data() : nullptr,
                       y.data(),   s.O + pad};
    DeviceArray<float> slopes(static_cast<std::size_t>(s.N * s.O));
    args.slope = slopes.data();
    REQUIRE(linear_forward(args, nullptr) == Status::ok);
    if (activation == Activation::gelu) {
        CHECK(simt::first_difference(slopes.host(), want_slope, static_cast<double>(s.I + 4)) ==
              -1);
    }
    CHECK(simt::first_difference(without_gaps(y.host(), s.O, s.O + pad), want,
                                 static_cast<double>(s.I + 4)) == -1);
}

void check_input_gradient(Shape s, Activation below, std::int64_t pad) {
    const auto dy = simt::random_values(s.N * s.O, 4);
    const auto w = simt::random_values(s.O * s.I, 5);
    const auto y_below = simt::random_values(s.N * s.I, 6);
    std::vector<Expected> want;
    for (std::int64_t n = 0; n < s.N; ++n) {
        for (std::int64_t i = 0; i < s.I; ++i) {
            Expected sum;
            for (std::int64_t o = 0; o < s.O; ++o) {
                sum.add(static_cast<double>(dy[n * s.O + o]) * w[o * s.I + i]);
            }
            sum.value *= slope(below, y_below[n * s.I + i]);
            want.push_back(sum);
        }
    }
    DeviceArray<float> ddy(with_gaps(dy, s.O, s.O + pad)), dw(w), dbelow(y_below);
    DeviceArray<float> dx(static_cast<std::size_t>(s.N * (s.I + pad)));
    const bool masked = below != Activation::none;
    const LinearInputGradient args{DType::f32, below,     s.N,
                                   s.I,        s.O,       ddy.data(),
                                   s.O + pad,  dw.data(), masked ? dbelow.data() : nullptr,
                                   dx.data(),  s.I + pad};
    REQUIRE(linear_input_gradient(args, nullptr) == Status::ok);
    CHECK(simt::first_difference(without_gaps(dx.host(), s.I, s.I + pad), want,
                                 static_cast<double>(s.O + 4)) == -1);
}

void check_weight_gradient(Shape s, bool with_bias, std::int64_t pad) {
    const auto dy = simt::random_values(s.N * s.O, 7);
    const auto x = simt::random_values(s.N * s.I, 8);
    std::vector<Expected> want_dw, want_db;
    for (std::int64_t o = 0; o < s.O; ++o) {
        for (std::int64_t i = 0; i < s.I; ++i) {
            Expected sum;
            for (std::int64_t n = 0; n < s.N; ++n) {
                sum.add(static_cast<double>(dy[n * s.O + o]) * x[n * s.I + i]);
            }
            want_dw.push_back(sum);
        }
        Expected sum;
        for (std::int64_t n = 0; n < s.N; ++n) sum.add(dy[n * s.O + o]);
        want_db.push_back(sum);
    }
    DeviceArray<float> ddy(with_gaps(dy, s.O, s.O + pad)), dx(with_gaps(x, s.I, s.I + pad));
    DeviceArray<float> dw(static_cast<std::size_t>(s.O * s.I)), db(static_cast<std::size_t>(s.O));
    const LinearWeightGradient args{
        DType::f32, s.N,       s.I,       s.O,       ddy.data(),
        s.O + pad,  dx.data(), s.I + pad, dw.data(), with_bias ? db.data() : nullptr};
    REQUIRE(linear_weight_gradient(args, nullptr) == Status::ok);
    const auto roundings = static_cast<double>(s.N + 2);
    CHECK(simt::first_difference(dw.host(), want_dw, roundings) == -1);
    if (with_bias) CHECK(simt::first_difference(db.host(), want_db, roundings) == -1);
}

TEST_CASE("linear forward equals the oracle for every shape and order") {
    simt::for_each_order([] {
        for (const Shape s : shapes()) {
            INFO("N=", s.N, " I=", s.I, " O=", s.O);
            check_forward(s, Activation::relu, true, 0);
        }
    });
    simt::check_no_reports();
}

TEST_CASE("linear forward: every activation, without bias, rows with gaps") {
    for (const Activation activation : kActivations) {
        for (const bool with_bias : {false, true}) {
            check_forward({33, 17, 65}, activation, with_bias, 5);
        }
    }
    simt::check_no_reports();
}

TEST_CASE("linear input gradient equals the oracle for every shape and order") {
    simt::for_each_order([] {
        for (const Shape s : shapes()) {
            INFO("N=", s.N, " I=", s.I, " O=", s.O);
            check_input_gradient(s, Activation::relu, 0);
        }
    });
    simt::check_no_reports();
}

TEST_CASE("linear input gradient: every activation below, rows with gaps") {
    for (const Activation below : kActivations) check_input_gradient({33, 65, 17}, below, 3);
    simt::check_no_reports();
}

TEST_CASE("linear input gradient may overwrite the activation below") {
    const Shape s{40, 35, 37};
    const auto dy = simt::random_values(s.N * s.O, 9);
    const auto w = simt::random_values(s.O * s.I, 10);
    const auto y_below = simt::random_values(s.N * s.I, 11);
    const auto run = [&](bool in_place) {
        DeviceArray<float> ddy(dy), dw(w), below(y_below), apart(y_below.size());
        float* const out = in_place ? below.data() : apart.data();
        const LinearInputGradient args{DType::f32, Activation::tanh, s.N, s.I, s.O, ddy.data(), s.O,
                                       dw.data(),  below.data(),     out, s.I};
        REQUIRE(linear_input_gradient(args, nullptr) == Status::ok);
        return in_place ? below.host() : apart.host();
    };
    CHECK(run(true) == run(false));
    simt::check_no_reports();
}

TEST_CASE("linear weight and bias gradients equal the oracle for every shape and order") {
    simt::for_each_order([] {
        for (const Shape s : shapes()) {
            INFO("N=", s.N, " I=", s.I, " O=", s.O);
            check_weight_gradient(s, true, 0);
        }
    });
    check_weight_gradient({65, 33, 40}, false, 2);
    simt::check_no_reports();
}

TEST_CASE("linear weight gradient has the same bits in every order") {
    const Shape s{130, 40, 70};
    const auto dy = simt::random_values(s.N * s.O, 12), x = simt::random_values(s.N * s.I, 13);
    std::vector<std::vector<float>> results;
    simt::for_each_order([&] {
        DeviceArray<float> ddy(dy), dx(x), dw(static_cast<std::size_t>(s.O * s.I)), db(70);
        const LinearWeightGradient args{DType::f32, s.N,       s.I, s.O,       ddy.data(),
                                        s.O,        dx.data(), s.I, dw.data(), db.data()};
        REQUIRE(linear_weight_gradient(args, nullptr) == Status::ok);
        results.push_back(dw.host());
        const auto bias = db.host();
        results.back().insert(results.back().end(), bias.begin(), bias.end());
    });
    for (const auto& result : results) CHECK(result == results[0]);
    simt::check_no_reports();
}

TEST_CASE("linear forward of NaN through relu is NaN") {
    DeviceArray<float> x{NAN}, w{1.0f}, y(1);
    const LinearForward args{DType::f32, Activation::relu, 1,       1,        1, x.data(),
                             1,          w.data(),         nullptr, y.data(), 1};
    REQUIRE(linear_forward(args, nullptr) == Status::ok);
    CHECK(std::isnan(y.host()[0]));
}

TEST_CASE("an empty batch gives zero weight gradients and writes no outputs") {
    DeviceArray<float> none(0), dw(6), db(2);
    const LinearWeightGradient gradient{DType::f32, 0,           3, 2,         none.data(),
                                        2,          none.data(), 3, dw.data(), db.data()};
    REQUIRE(linear_weight_gradient(gradient, nullptr) == Status::ok);
    CHECK(dw.host() == std::vector<float>(6, 0.0f));
    CHECK(db.host() == std::vector<float>(2, 0.0f));
    const LinearForward forward{DType::f32, Activation::none, 0,       3,           2, none.data(),
                                3,          dw.data(),        nullptr, none.data(), 2};
    CHECK(linear_forward(forward, nullptr) == Status::ok);
    simt::check_no_reports();
}

TEST_CASE("linear kernels refuse what they cannot do") {
    float x = 0;
    LinearForward forward{DType::f64, Activation::none, 1, 1, 1, &x, 1, &x, nullptr, &x, 1};
    CHECK(linear_forward(forward, nullptr) == Status::unsupported);
    forward.dtype = DType::f32;
    forward.ldx = 0;
    CHECK(linear_forward(forward, nullptr) == Status::bad_argument);
    forward.ldx = 1;
    forward.N = std::int64_t{1} << 32;
    CHECK(linear_forward(forward, nullptr) == Status::unsupported);
    const LinearInputGradient no_mask{DType::f32, Activation::relu, 1,  1, 1, &x, 1,
                                      &x,         nullptr,          &x, 1};
    CHECK(linear_input_gradient(no_mask, nullptr) == Status::bad_argument);
    const LinearWeightGradient negative{DType::f32, -1, 1, 1, &x, 1, &x, 1, &x, nullptr};
    CHECK(linear_weight_gradient(negative, nullptr) == Status::bad_argument);
}

}  // namespace
}  // namespace drydock::kernels::cuda
