// expectile.cu against loops in double.
#include "kernels/cuda/launchers.h"
#include "tests/kernels/simt/harness.h"

namespace drydock::kernels::cuda {
namespace {

using simt::DeviceArray;
using simt::Expected;

struct Want {
    Expected loss;
    std::vector<Expected> du;
};

Want oracle(const std::vector<float>& u, double expectile) {
    Want want;
    const auto n = static_cast<double>(u.size());
    for (const float value : u) {
        const double weight = std::fabs(expectile - (value < 0 ? 1.0 : 0.0));
        want.loss.add(weight * value * value / n);
        const double gradient = 2 * weight * value / n;
        want.du.push_back({gradient, std::fabs(gradient)});
    }
    return want;
}

TEST_CASE("expectile loss and gradient equal the oracle for every size and order") {
    simt::for_each_order([] {
        for (const std::int64_t n : {1, 3, 17, 31, 33, 64, 65, 100, 255, 256, 257, 1000}) {
            for (const double expectile : {0.5, 0.7, 0.9}) {
                INFO("N=", n, " expectile=", expectile);
                const auto u = simt::random_values(n, 1);
                const Want want = oracle(u, expectile);
                DeviceArray<float> du_in(u), loss(1), du(u.size());
                const ExpectileLoss args{DType::f32,   expectile,   n,
                                         du_in.data(), loss.data(), du.data()};
                REQUIRE(expectile_loss(args, nullptr) == Status::ok);
                CHECK(simt::is_close(loss.host()[0], want.loss, 24));
                CHECK(simt::first_difference(du.host(), want.du, 6) == -1);
            }
        }
    });
    simt::check_no_reports();
}

TEST_CASE("expectile loss: the same bits in every order, in place and without gradient") {
    const auto u = simt::random_values(777, 2);
    const Want want = oracle(u, 0.7);
    std::vector<float> losses;
    simt::for_each_order([&] {
        DeviceArray<float> in_place(u), loss(1);
        ExpectileLoss args{DType::f32, 0.7, 777, in_place.data(), loss.data(), nullptr};
        REQUIRE(expectile_loss(args, nullptr) == Status::ok);
        CHECK(in_place.host() == u);
        losses.push_back(loss.host()[0]);
        args.du = in_place.data();
        REQUIRE(expectile_loss(args, nullptr) == Status::ok);
        losses.push_back(loss.host()[0]);
        CHECK(simt::first_difference(in_place.host(), want.du, 6) == -1);
    });
    for (const float loss : losses) CHECK(loss == losses[0]);
    simt::check_no_reports();
}

TEST_CASE("expectile gradient is 0 at 0, and one NaN makes the loss NaN") {
    DeviceArray<float> u{0.0f, -1.0f, NAN}, loss(1), du(3);
    const ExpectileLoss args{DType::f32, 0.9, 3, u.data(), loss.data(), du.data()};
    REQUIRE(expectile_loss(args, nullptr) == Status::ok);
    CHECK(du.host()[0] == 0.0f);
    CHECK(du.host()[1] == doctest::Approx(-2.0 * 0.1 / 3));
    CHECK(std::isnan(du.host()[2]));
    CHECK(std::isnan(loss.host()[0]));
}

TEST_CASE("expectile loss refuses what it cannot do") {
    float x = 0;
    ExpectileLoss args{DType::f64, 0.7, 1, &x, &x, &x};
    CHECK(expectile_loss(args, nullptr) == Status::unsupported);
    args.dtype = DType::f32;
    args.expectile = 1.0;
    CHECK(expectile_loss(args, nullptr) == Status::bad_argument);
    args.expectile = 0.7;
    args.N = 0;
    CHECK(expectile_loss(args, nullptr) == Status::bad_argument);
}

}  // namespace
}  // namespace drydock::kernels::cuda
