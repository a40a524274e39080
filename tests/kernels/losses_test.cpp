// Losses and the Gaussian log-density, with their gradients.
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

// Checks a loss and its gradient against an oracle that gives both in one list.
template <class T>
void check_loss(const Guarded<T>& loss, const Guarded<T>& gradient, const oracle::Values& want) {
    check_close(loss, {want[0]}, bound_of<T>(4));
    check_close(gradient, oracle::Values(want.begin() + 1, want.end()), bound_of<T>(4));
}

}  // namespace

TEST_CASE("expectile loss agrees with its oracle") {
    for_each_kernel(&CpuTable::expectile_loss, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index N : kSizes) {
            for (double expectile : {0.5, 0.7, 0.9}) {
                INFO("N ", N, " expectile ", expectile);
                Guarded<T> u(N, 1, -3, 3), loss(1), du(N);
                if (N > 4) u[4] = 0;
                ExpectileLoss args = {dtype_of<T>(), expectile,   N,
                                      u.data(),      loss.data(), du.data()};
                run_both_ways(kernel, args, loss, du);
                check_loss(loss, du, oracle::expectile_loss<T>(args));
                const T value = loss[0];
                args.du = nullptr;
                run_both_ways(kernel, args, loss);
                CHECK(loss[0] == value);
            }
        }
    });
}

TEST_CASE("expectile loss lets NaN through and keeps its precision over many rows") {
    for_each_kernel(&CpuTable::expectile_loss, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        const Index N = 1'000'001;
        Guarded<T> u(N), loss(1), du(N);
        for (Index i = 0; i < N; ++i) u[i] = T(0.1);
        const ExpectileLoss args = {dtype_of<T>(), 0.7, N, u.data(), loss.data(), du.data()};
        run_both_ways(kernel, args, loss, du);
        CHECK(std::fabs(static_cast<double>(loss[0]) / (0.7 * 0.01) - 1) < 1e-6);
        u[N - 1] = static_cast<T>(oracle::kNan);
        run_both_ways(kernel, args, loss, du);
        CHECK(std::isnan(loss[0]));
        CHECK(std::isnan(du[N - 1]));
        CHECK(!std::isnan(du[N - 2]));
    });
}

TEST_CASE("mean squared error agrees with its oracle") {
    for_each_kernel(&CpuTable::mse_loss, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index N : kSizes) {
            CAPTURE(N);
            const Guarded<T> a(N, 1, -3, 3), b(N, 2, -3, 3);
            Guarded<T> loss(1), da(N);
            MseLoss args = {dtype_of<T>(), N, a.data(), b.data(), loss.data(), da.data()};
            run_both_ways(kernel, args, loss, da);
            check_loss(loss, da, oracle::mse_loss<T>(args));
            const T value = loss[0];
            args.da = nullptr;
            run_both_ways(kernel, args, loss);
            CHECK(loss[0] == value);
        }
    });
}

TEST_CASE("the gradient of a loss may overwrite its input") {
    for_each_kernel(&CpuTable::expectile_loss, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        Guarded<T> u(100, 1), loss(1), du(100);
        ExpectileLoss args = {dtype_of<T>(), 0.7, 100, u.data(), loss.data(), du.data()};
        run_both_ways(kernel, args, loss, du);
        const T value = loss[0];
        args.du = u.data();
        run_both_ways(kernel, args, loss, u);
        CHECK(same_bits(u, du));
        CHECK(loss[0] == value);
    });
    for_each_kernel(&CpuTable::mse_loss, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        Guarded<T> a(100, 1), loss(1), da(100);
        const Guarded<T> b(100, 2);
        MseLoss args = {dtype_of<T>(), 100, a.data(), b.data(), loss.data(), da.data()};
        run_both_ways(kernel, args, loss, da);
        const T value = loss[0];
        args.da = a.data();
        run_both_ways(kernel, args, loss, a);
        CHECK(same_bits(a, da));
        CHECK(loss[0] == value);
    });
}

TEST_CASE("Gaussian log-density and its gradient agree with their oracles") {
    for_each_kernel(&CpuTable::gaussian_log_prob, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index N : {1, 17, 256, 3000}) {
            for (Index A : {1, 3, 6, 17, 33}) {
                INFO("N ", N, " A ", A);
                const Guarded<T> mean(N * A, 1), log_std(A, 2, -2, 1), x(N * A, 3);
                Guarded<T> log_prob(N);
                const GaussianLogProb args = {
                    dtype_of<T>(), N, A, mean.data(), log_std.data(), x.data(), log_prob.data()};
                run_both_ways(kernel, args, log_prob);
                check_close(log_prob, oracle::gaussian_log_prob<T>(args), bound_of<T>(4 * A));
            }
        }
    });
    for_each_kernel(&CpuTable::gaussian_log_prob_gradient, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index N : {1, 17, 256, 3000}) {
            for (Index A : {1, 3, 6, 17, 33}) {
                INFO("N ", N, " A ", A);
                const Guarded<T> g(N, 1), log_std(A, 2, -2, 1), x(N * A, 3);
                Guarded<T> mean(N * A, 4), dmean(N * A), dlog_std(A);
                GaussianLogProbGradient args = {dtype_of<T>(),
                                                N,
                                                A,
                                                g.data(),
                                                mean.data(),
                                                log_std.data(),
                                                x.data(),
                                                dmean.data(),
                                                dlog_std.data()};
                run_both_ways(kernel, args, dmean, dlog_std);
                oracle::Values want = oracle::gaussian_log_prob_gradient<T>(args);
                check_close(dlog_std, oracle::Values(want.end() - A, want.end()),
                            60 * bound_of<T>(4));
                want.resize(static_cast<std::size_t>(N * A));
                check_close(dmean, want, bound_of<T>(8));
                args.dmean = mean.data();
                run_both_ways(kernel, args, mean, dlog_std);
                CHECK(same_bits(mean, dmean));
            }
        }
    });
}

TEST_CASE("losses refuse an empty mean and a foreign expectile") {
    for_each_isa([](const CpuTable& table) {
        const auto expectile = [&](double e, Index N) {
            return table.expectile_loss.check({DType::f32, e, N, nullptr, nullptr, nullptr});
        };
        CHECK(expectile(0.7, 4) == Status::ok);
        CHECK(expectile(0.7, 0) == Status::bad_argument);
        CHECK(expectile(0, 4) == Status::bad_argument);
        CHECK(expectile(1, 4) == Status::bad_argument);
        CHECK(expectile(oracle::kNan, 4) == Status::bad_argument);
        CHECK(table.mse_loss.check({DType::f32, 0, nullptr, nullptr, nullptr, nullptr}) ==
              Status::bad_argument);
    });
}
