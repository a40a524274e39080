// Optimizer steps over flat arrays and the hyper block that drives them.
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

constexpr Index kFlatSizes[] = {1, 7, 8, 9, 31, 257, 8192, 20001};

OptimizerHyper hyper(double weight_decay = 0) {
    OptimizerHyper h = {};
    h.learning_rate = 3e-4;
    h.beta1 = 0.9;
    h.beta2 = 0.999;
    h.epsilon = 1e-8;
    h.weight_decay = weight_decay;
    h.beta1_power = h.beta2_power = 1;
    return h;
}

void tick(OptimizerHyper& h) {
    const CpuKernel<OptimizerTick>& kernel = cpu_table(Isa::portable).optimizer_tick;
    REQUIRE(kernel.units({&h}) == 1);
    kernel.run({&h}, 0, 1);
}

template <class T>
struct AdamCase {
    OptimizerHyper h;
    Guarded<T> gradient, parameters, moment1, moment2, target;
    AdamStep args;

    AdamCase(Index n, double weight_decay, bool with_target)
        : h(hyper(weight_decay)),
          gradient(n, 1),
          parameters(n, 2),
          moment1(n, 3),
          moment2(n, 4, 0, 1),
          target(n, 5) {
        for (int k = 0; k < 3; ++k) tick(h);
        args = {dtype_of<T>(),
                n,
                gradient.data(),
                parameters.data(),
                moment1.data(),
                moment2.data(),
                &h,
                with_target ? target.data() : nullptr,
                0.005};
    }
    void run(const CpuKernel<AdamStep>& kernel) {
        run_both_ways(kernel, args, parameters, moment1, moment2, target);
    }
};

oracle::Values part(const oracle::Values& all, Index n, Index k) {
    return oracle::Values(all.begin() + k * n, all.begin() + (k + 1) * n);
}

}  // namespace

TEST_CASE("Adam, AdamW and Adam with a target agree with the oracle") {
    for_each_kernel(&CpuTable::adam_step, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index n : kFlatSizes) {
            for (int variant = 0; variant < 4; ++variant) {
                INFO("n ", n, " variant ", variant);
                AdamCase<T> c(n, (variant & 1) * 0.1, (variant & 2) != 0);
                const Guarded<T> old_target = c.target;
                oracle::Values want = oracle::adam_step<T>(c.args);
                c.run(kernel);
                check_close(c.parameters, part(want, n, 0), bound_of<T>(2));
                check_close(c.moment1, part(want, n, 1), bound_of<T>(2));
                check_close(c.moment2, part(want, n, 2), bound_of<T>(2));
                if (c.args.target == nullptr) {
                    CHECK(same_bits(c.target, const_cast<Guarded<T>&>(old_target)));
                } else {
                    check_close(c.target, part(want, n, 3), bound_of<T>(2));
                }
            }
        }
    });
}

TEST_CASE("Adam with a target is Adam and then Polyak, bit for bit") {
    for_each_isa([](const CpuTable& table) {
        AdamCase<float> fused(1001, 0, true), composed(1001, 0, false);
        fused.run(table.adam_step);
        composed.run(table.adam_step);
        const Polyak average = {DType::f32, 1001, 0.005, composed.parameters.data(),
                                composed.target.data()};
        run_both_ways(table.polyak, average, composed.target);
        CHECK(same_bits(fused.parameters, composed.parameters));
        CHECK(same_bits(fused.target, composed.target));
    });
}

TEST_CASE("all instruction sets give the same bits for Adam and Polyak") {
    AdamCase<float> want(20001, 0.01, true);
    want.run(cpu_table(Isa::portable).adam_step);
    for_each_isa([&](const CpuTable& table) {
        AdamCase<float> got(20001, 0.01, true);
        got.run(table.adam_step);
        CHECK(same_bits(got.parameters, want.parameters));
        CHECK(same_bits(got.moment1, want.moment1));
        CHECK(same_bits(got.moment2, want.moment2));
        CHECK(same_bits(got.target, want.target));
    });
}

TEST_CASE("Polyak averaging agrees with its oracle and copies at 1") {
    for_each_kernel(&CpuTable::polyak, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index n : kFlatSizes) {
            for (double polyak : {0.005, 1.0}) {
                INFO("n ", n, " polyak ", polyak);
                const Guarded<T> source(n, 1);
                Guarded<T> target(n, 2);
                const Polyak args = {dtype_of<T>(), n, polyak, source.data(), target.data()};
                const oracle::Values want = oracle::polyak<T>(args);
                run_both_ways(kernel, args, target);
                check_close(target, want, polyak == 1 ? 0 : bound_of<T>(2));
            }
        }
    });
}

TEST_CASE("clipping by the global norm agrees with its oracles") {
    for_each_kernel(&CpuTable::squared_norm, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index n : {1, 17, 4096, 4097, 10000}) {
            for (double max_norm : {0.5, 1e6}) {
                INFO("n ", n, " max_norm ", max_norm);
                Guarded<T> gradient(n, 1), partials(norm_blocks(n));
                const SquaredNorm norm = {dtype_of<T>(), n, gradient.data(), partials.data()};
                run_both_ways(kernel, norm, partials);
                // In double the additions round too; in f32 only the result does.
                const Index terms = std::is_same_v<T, float> ? 4 : n;
                check_close(partials, oracle::squared_norm<T>(norm), bound_of<T>(terms));
                const ClipByNorm clip = {dtype_of<T>(), n, max_norm, partials.data(),
                                         gradient.data()};
                const oracle::Values want = oracle::clip_by_norm<T>(clip);
                run_both_ways(cpu_table(Isa::portable).clip_by_norm, clip, gradient);
                check_close(gradient, want, bound_of<T>(2));
            }
        }
    });
}

TEST_CASE("a gradient with a NaN is not clipped to something finite") {
    Guarded<float> gradient(10, 1), partials(1);
    gradient[3] = std::numeric_limits<float>::quiet_NaN();
    const CpuTable& table = cpu_table(Isa::portable);
    table.squared_norm.run({DType::f32, 10, gradient.data(), partials.data()}, 0, 1);
    table.clip_by_norm.run({DType::f32, 10, 1.0, partials.data(), gradient.data()}, 0, 1);
    CHECK(std::isnan(gradient[0]));
}

TEST_CASE("the optimizer tick follows Adam's bias corrections") {
    OptimizerHyper h = hyper();
    for (int t = 1; t <= 50; ++t) {
        tick(h);
        CHECK(h.t == t);
        CHECK(h.rate == 3e-4);
        CHECK(h.step_size == doctest::Approx(3e-4 / (1 - std::pow(0.9, t))).epsilon(1e-12));
        CHECK(h.inv_sqrt_bias2 ==
              doctest::Approx(1 / std::sqrt(1 - std::pow(0.999, t))).epsilon(1e-11));
    }
}

TEST_CASE("schedules count updates from zero") {
    OptimizerHyper cosine = hyper(), warmup = hyper();
    cosine.schedule = Schedule::cosine;
    warmup.schedule = Schedule::warmup;
    cosine.horizon = warmup.horizon = 10;
    for (int k = 0; k < 25; ++k) {
        tick(cosine);
        tick(warmup);
        CHECK(cosine.rate == doctest::Approx(3e-4 / 2 * (1 + std::cos(M_PI * k / 10))));
        CHECK(warmup.rate == doctest::Approx(3e-4 * std::min((k + 1) / 10.0, 1.0)));
    }
}

TEST_CASE("ticks and metrics follow the counters") {
    const CpuTable& table = cpu_table(Isa::portable);
    Counters counters = {0, 1, 2};
    Guarded<float> ring(3 * 2), value(1);
    for (int k = 0; k < 5; ++k) {
        value[0] = static_cast<float>(k);
        run_both_ways(table.store_metric,
                      StoreMetric{DType::f32, value.data(), &counters, 3, 2, 1, ring.data()}, ring);
        REQUIRE(table.tick.units({&counters}) == 1);
        table.tick.run({&counters}, 0, 1);
        CHECK(counters.step == k + 1);
    }
    const float none = Guarded<float>::kSentinel;
    check_close(ring, {none, 3, none, 4, none, 2}, 0);
    CHECK(table.store_metric.check({DType::f32, nullptr, nullptr, 3, 2, 2, nullptr}) ==
          Status::bad_argument);
}
