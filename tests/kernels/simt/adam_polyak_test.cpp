// adam_polyak.cu against loops in double.
#include "kernels/cuda/launchers.h"
#include "tests/kernels/simt/harness.h"

namespace drydock::kernels::cuda {
namespace {

using simt::DeviceArray;

constexpr double kPolyak = 0.005;

OptimizerHyper hyper_after_three_steps(double weight_decay) {
    OptimizerHyper h{};
    h.learning_rate = h.rate = 3e-4;
    h.beta1 = 0.9;
    h.beta2 = 0.999;
    h.epsilon = 1e-8;
    h.weight_decay = weight_decay;
    h.t = 3;
    h.beta1_power = std::pow(h.beta1, 3);
    h.beta2_power = std::pow(h.beta2, 3);
    h.step_size = h.rate / (1 - h.beta1_power);
    h.inv_sqrt_bias2 = 1 / std::sqrt(1 - h.beta2_power);
    return h;
}

// The arrays of a group. Second moments are squares.
struct Group {
    std::vector<float> g, w, m, v, target;
    explicit Group(std::int64_t n)
        : g(simt::random_values(n, 1)),
          w(simt::random_values(n, 2)),
          m(simt::random_values(n, 3)),
          v(simt::random_values(n, 4)),
          target(simt::random_values(n, 5)) {
        for (float& value : v) value *= value;
    }
};

struct Updated {
    double w, m, v, target;
};

Updated oracle(const Group& a, const OptimizerHyper& h, std::size_t i) {
    Updated u{a.w[i], a.m[i], a.v[i], a.target[i]};
    const double g = a.g[i];
    u.w *= 1 - h.rate * h.weight_decay;
    u.m += (g - u.m) * (1 - h.beta1);
    u.v = h.beta2 * u.v + (1 - h.beta2) * g * g;
    u.w -= h.step_size * u.m / (std::sqrt(u.v) * h.inv_sqrt_bias2 + h.epsilon);
    u.target = (1 - kPolyak) * u.target + kPolyak * u.w;
    return u;
}

// Absolute: all values are of the order of 1.
bool near(float got, double want) { return std::fabs(got - want) <= 1e-6; }

// `skew`: elements by which every array is off its 256-byte alignment.
void check_adam(std::int64_t n, bool with_target, double weight_decay, std::size_t skew) {
    const Group a(n + static_cast<std::int64_t>(skew));
    const OptimizerHyper h = hyper_after_three_steps(weight_decay);
    DeviceArray<float> g(a.g), w(a.w), m(a.m), v(a.v), target(a.target);
    DeviceArray<OptimizerHyper> hyper{h};
    const AdamStep args{DType::f32,      n,
                        g.data() + skew, w.data() + skew,
                        m.data() + skew, v.data() + skew,
                        hyper.data(),    with_target ? target.data() + skew : nullptr,
                        kPolyak};
    REQUIRE(adam_step(args, nullptr) == Status::ok);
    const auto new_w = w.host(), new_m = m.host(), new_v = v.host(), new_target = target.host();
    CHECK(g.host() == a.g);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < a.w.size(); ++i) {
        Updated want{a.w[i], a.m[i], a.v[i], a.target[i]};
        if (i >= skew) want = oracle(a, h, i);
        if (!with_target) want.target = a.target[i];
        wrong += !(near(new_w[i], want.w) && near(new_m[i], want.m) && near(new_v[i], want.v) &&
                   near(new_target[i], want.target));
    }
    CHECK(wrong == 0);
}

TEST_CASE("Adam equals the oracle for every size and order, with and without target") {
    simt::for_each_order([] {
        for (const std::int64_t n : {1, 3, 4, 5, 17, 31, 33, 64, 65, 100, 257, 1023, 1025, 2500}) {
            INFO("n=", n);
            check_adam(n, true, 0.0, 0);
            check_adam(n, false, 0.0, 0);
        }
    });
    simt::check_no_reports();
}

TEST_CASE("Adam on arrays that are not 16-byte aligned, with decoupled weight decay") {
    for (const std::size_t skew : {1u, 2u, 3u}) check_adam(1111, true, 0.1, skew);
    simt::check_no_reports();
}

TEST_CASE("Adam strides over arrays larger than its largest grid") {
    check_adam(1024 * 256 * 4 + 5, true, 0.0, 0);
    simt::check_no_reports();
}

TEST_CASE("Adam reads the hyper block anew in every launch") {
    DeviceArray<float> g{1.0f}, w{1.0f}, m{0.0f}, v{0.0f};
    DeviceArray<OptimizerHyper> hyper{hyper_after_three_steps(0)};
    const AdamStep args{DType::f32,   1,       g.data(), w.data(), m.data(), v.data(),
                        hyper.data(), nullptr, 0.0};
    hyper.data()->step_size = 0;
    REQUIRE(adam_step(args, nullptr) == Status::ok);
    CHECK(w.host()[0] == 1.0f);
    hyper.data()->step_size = 0.5;
    REQUIRE(adam_step(args, nullptr) == Status::ok);
    CHECK(w.host()[0] < 0.9f);
}

TEST_CASE("Polyak averaging equals the oracle for every size and order") {
    simt::for_each_order([] {
        for (const std::int64_t n : {1, 3, 4, 17, 33, 65, 257, 1029, 3001}) {
            for (const std::size_t skew : {0u, 1u}) {
                INFO("n=", n, " skew=", skew);
                const Group a(n + static_cast<std::int64_t>(skew));
                DeviceArray<float> source(a.w), target(a.target);
                const Polyak args{DType::f32, n, 0.25, source.data() + skew, target.data() + skew};
                REQUIRE(polyak(args, nullptr) == Status::ok);
                const auto got = target.host();
                std::size_t wrong = 0;
                for (std::size_t i = skew; i < got.size(); ++i) {
                    wrong += !near(got[i], 0.75 * a.target[i] + 0.25 * a.w[i]);
                }
                CHECK(wrong == 0);
            }
        }
    });
    simt::check_no_reports();
}

TEST_CASE("Adam and Polyak refuse what they cannot do, and an empty array is nothing to do") {
    float x = 0;
    const OptimizerHyper h = hyper_after_three_steps(0);
    AdamStep step{DType::f64, 1, &x, &x, &x, &x, &h, nullptr, 0.0};
    CHECK(adam_step(step, nullptr) == Status::unsupported);
    step.dtype = DType::f32;
    step.hyper = nullptr;
    CHECK(adam_step(step, nullptr) == Status::bad_argument);
    step.hyper = &h;
    step.n = 0;
    CHECK(adam_step(step, nullptr) == Status::ok);
    Polyak average{DType::f64, 1, 0.5, &x, &x};
    CHECK(polyak(average, nullptr) == Status::unsupported);
    average.n = -1;
    CHECK(polyak(average, nullptr) == Status::bad_argument);
    CHECK(x == 0.0f);
}

}  // namespace
}  // namespace drydock::kernels::cuda
