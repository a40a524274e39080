// What sequences need: layer normalisation, causal attention and windows of episodes. Gradients are
// compared with central differences of the oracles.
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

// sum(weights * f()), and its derivative by x by central differences.
template <class F>
double slope(double& x, const std::vector<double>& weights, F f) {
    const double middle = x, h = 1e-5;
    const auto loss = [&] {
        const oracle::Values y = f();
        double sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * weights[i];
        return sum;
    };
    x = middle + h;
    const double up = loss();
    x = middle - h;
    const double down = loss();
    x = middle;
    return (up - down) / (2 * h);
}

std::vector<double> listed(const Guarded<double>& values) {
    return {values.data(), values.data() + values.size()};
}

template <class F>
oracle::Values slopes(Guarded<double>& x, const Guarded<double>& cotangent, F f) {
    oracle::Values out;
    for (Index i = 0; i < x.size(); ++i) out.push_back(slope(x[i], listed(cotangent), f));
    return out;
}

struct AttentionCase {
    Index B, H, D, T, Q, first, stride;
    double rate;
};
constexpr AttentionCase kAttention[] = {
    {1, 1, 1, 1, 1, 0, 1, 0},     {2, 1, 4, 6, 6, 0, 1, 0},   {2, 3, 5, 9, 3, 1, 3, 0},
    {3, 2, 8, 12, 4, 1, 3, 0.25}, {1, 2, 3, 7, 7, 0, 1, 0.5}, {1, 1, 2, 70, 66, 3, 1, 0.1},
};
// The edges of vectors and blocks of queries, for what needs no central differences.
constexpr AttentionCase kLargeAttention[] = {
    {2, 2, 16, 60, 60, 0, 1, 0.1},  {2, 1, 128, 60, 20, 1, 3, 0.1}, {1, 2, 15, 33, 33, 0, 1, 0},
    {2, 3, 17, 16, 16, 0, 1, 0.2},  {1, 2, 31, 17, 17, 0, 1, 0},    {1, 2, 33, 65, 65, 0, 1, 0.1},
    {2, 2, 64, 130, 130, 0, 1, 0},  {1, 1, 65, 200, 66, 2, 3, 0.1}, {2, 1, 24, 129, 128, 1, 1, 0.3},
    {1, 1, 257, 20, 20, 0, 1, 0.1}, {1, 2, 256, 9, 3, 0, 4, 0},     {1, 1, 40, 1024, 130, 5, 7, 0},
};

// The operands of a case; the last tokens of sequence 0 and the first of sequence 1 are padding.
template <class T>
struct Attention {
    Guarded<T> q, kv, mask, draws, out, log_sum;
    CausalAttention args;

    explicit Attention(const AttentionCase& c)
        : q(c.B * c.Q * c.H * c.D, 1, -2, 2),
          kv(c.B * c.T * 2 * c.H * c.D, 2, -2, 2),
          mask(c.B * c.T),
          draws(c.B * c.H * c.Q * c.T, 3, 0, 1),
          out(q.size()),
          log_sum(c.B * c.H * c.Q),
          args{dtype_of<T>(),
               c.B,
               c.H,
               c.D,
               c.T,
               c.Q,
               c.first,
               c.stride,
               c.rate,
               q.data(),
               kv.data(),
               mask.data(),
               c.rate > 0 ? draws.data() : nullptr,
               out.data(),
               log_sum.data()} {
        for (Index i = 0; i < mask.size(); ++i) mask[i] = 1;
        for (Index j = 0; j < c.T / 3; ++j) {
            mask[c.T - 1 - j] = 0;
            if (c.B > 1) mask[c.T + j] = 0;
        }
    }
};

struct Windowed {
    std::vector<Index> rows, timesteps;
};

Windowed windows(std::vector<Index> offsets, std::vector<Index> starts, Index K, bool left,
                 Index last) {
    const auto n = static_cast<Index>(starts.size());
    Guarded<Index> rows(n * K), timesteps(n * K);
    const WindowRows args = {K,
                             left,
                             last,
                             n,
                             starts.data(),
                             static_cast<Index>(offsets.size()) - 1,
                             offsets.data(),
                             rows.data(),
                             timesteps.data()};
    run_both_ways(cpu_table(Isa::portable).window_rows, args, rows, timesteps);
    return {{rows.data(), rows.data() + n * K}, {timesteps.data(), timesteps.data() + n * K}};
}

using List = std::vector<Index>;

}  // namespace

TEST_CASE("layer normalisation agrees with its oracle") {
    for_each_kernel(&CpuTable::layer_norm, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index D : kSizes) {
            for (Index N : {1, 3, 300}) {
                INFO("N ", N, " D ", D);
                const Guarded<T> x(N * D, 1, -3, 5), w(D, 2, -2, 2), b(D, 3);
                Guarded<T> y(N * D), statistics(2 * N);
                const LayerNorm args = {dtype_of<T>(),    1e-5,     N,        D,
                                        x.data(),         w.data(), b.data(), y.data(),
                                        statistics.data()};
                run_both_ways(kernel, args, y, statistics);
                // Two elements may lie near each other: the deviation is small against them.
                check_close(y, oracle::layer_norm<T>(args), 200 * bound_of<T>(8));
            }
        }
    });
}

TEST_CASE("the gradients of layer normalisation agree with central differences") {
    const Index N = 5, D = 33;
    Guarded<double> x(N * D, 1, -3, 5), w(D, 2, -2, 2), b(D, 3), y(N * D), statistics(2 * N);
    const Guarded<double> dy(N * D, 4);
    const CpuTable& table = cpu_table(Isa::portable);
    const LayerNorm args = {DType::f64,       1e-5, N, D, x.data(), w.data(), b.data(), y.data(),
                            statistics.data()};
    run_both_ways(table.layer_norm, args, y, statistics);
    Guarded<double> dx(N * D), dw(D), db(D);
    run_both_ways(table.layer_norm_input_gradient,
                  LayerNormInputGradient{DType::f64, N, D, dy.data(), x.data(), w.data(),
                                         statistics.data(), dx.data()},
                  dx);
    run_both_ways(table.layer_norm_weight_gradient,
                  LayerNormWeightGradient{DType::f64, N, D, dy.data(), x.data(), statistics.data(),
                                          dw.data(), db.data()},
                  dw, db);
    const auto forward = [&] { return oracle::layer_norm<double>(args); };
    check_close(dx, slopes(x, dy, forward), 1e-8);
    check_close(dw, slopes(w, dy, forward), 1e-8);
    check_close(db, slopes(b, dy, forward), 1e-8);
}

TEST_CASE("the gradients of layer normalisation in f32 are those of f64") {
    const auto gradients = [](const CpuTable& table, auto zero, Index N, Index D) {
        using T = decltype(zero);
        const Guarded<float> x(N * D, 1, -3, 5), w(D, 2, -2, 2), b(D, 3), dy(N * D, 4);
        Guarded<T> xt(N * D), wt(D), bt(D), dyt(N * D), y(N * D), s(2 * N), dx(N * D), dw(D), db(D);
        for (Index i = 0; i < N * D; ++i) {
            xt[i] = static_cast<T>(x[i]);
            dyt[i] = static_cast<T>(dy[i]);
        }
        for (Index i = 0; i < D; ++i) {
            wt[i] = static_cast<T>(w[i]);
            bt[i] = static_cast<T>(b[i]);
        }
        const DType type = dtype_of<T>();
        run_both_ways(
            table.layer_norm,
            LayerNorm{type, 1e-5, N, D, xt.data(), wt.data(), bt.data(), y.data(), s.data()}, y, s);
        run_both_ways(table.layer_norm_input_gradient,
                      LayerNormInputGradient{type, N, D, dyt.data(), xt.data(), wt.data(), s.data(),
                                             dx.data()},
                      dx);
        run_both_ways(table.layer_norm_weight_gradient,
                      LayerNormWeightGradient{type, N, D, dyt.data(), xt.data(), s.data(),
                                              dw.data(), db.data()},
                      dw, db);
        std::vector<double> all;
        for (auto* part : {&dx, &dw, &db}) {
            for (Index i = 0; i < part->size(); ++i) all.push_back(double{(*part)[i]});
        }
        return all;
    };
    for_each_isa([&](const CpuTable& table) {
        for (Index D : kSizes) {
            for (Index N : {1, 63, 300}) {
                INFO("N ", N, " D ", D);
                // A row of one element or two may have next to no deviation.
                const double bound = D <= 2 ? 1e-3 : 2e-5;
                const std::vector<double> single = gradients(table, 0.0f, N, D),
                                          exact = gradients(cpu_table(Isa::portable), 0.0, N, D);
                Index wrong = 0;
                for (std::size_t i = 0; i < exact.size(); ++i) {
                    wrong += !close(static_cast<float>(single[i]), exact[i], bound);
                }
                CHECK(wrong == 0);
            }
        }
    });
}

TEST_CASE("causal attention agrees with its oracle") {
    for_each_kernel(&CpuTable::causal_attention, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        const auto check = [&](const AttentionCase& c) {
            INFO("T ", c.T, " Q ", c.Q, " H ", c.H, " D ", c.D);
            Attention<T> a(c);
            run_covered(kernel, &CpuTable::causal_attention, a.args, a.out, a.log_sum);
            check_close(a.out, oracle::causal_attention<T>(a.args), 4 * bound_of<T>(c.T + c.D));
            check_close(a.log_sum, oracle::attention_log_sum<T>(a.args),
                        4 * bound_of<T>(c.T + c.D));
        };
        for (const AttentionCase& c : kAttention) check(c);
        for (const AttentionCase& c : kLargeAttention) check(c);
    });
}

TEST_CASE("vector attention covers heads up to 256 wide") {
    for_each_isa([](const CpuTable& table) {
        const bool vectors =
            table.causal_attention.run != cpu_table(Isa::portable).causal_attention.run;
        Attention<float> wide({1, 1, 256, 3, 3, 0, 1, 0}), wider({1, 1, 257, 3, 3, 0, 1, 0});
        CHECK(table.causal_attention.check(wide.args) == Status::ok);
        CHECK((table.causal_attention.check(wider.args) == Status::unsupported) == vectors);
    });
}

TEST_CASE("the gradient of causal attention agrees with central differences") {
    const CpuTable& table = cpu_table(Isa::portable);
    for (const AttentionCase& c : kAttention) {
        INFO("T ", c.T, " Q ", c.Q, " H ", c.H, " D ", c.D);
        Attention<double> a(c);
        run_both_ways(table.causal_attention, a.args, a.out, a.log_sum);
        const Guarded<double> dout(a.out.size(), 9);
        Guarded<double> dq(a.q.size()), dkv(a.kv.size());
        const CausalAttentionGradient g = {DType::f64, a.args, dout.data(), dq.data(), dkv.data()};
        run_both_ways(table.causal_attention_gradient, g, dq, dkv);
        const auto forward = [&] { return oracle::causal_attention<double>(a.args); };
        check_close(dq, slopes(a.q, dout, forward), 1e-8);
        check_close(dkv, slopes(a.kv, dout, forward), 1e-8);
    }
}

TEST_CASE("the gradient of causal attention in f32 is that of f64") {
    const CpuTable& portable = cpu_table(Isa::portable);
    const auto compare = [&](const CpuTable& table, const AttentionCase& c) {
        INFO("T ", c.T, " Q ", c.Q, " H ", c.H, " D ", c.D);
        Attention<float> a(c);
        Attention<double> exact(c);
        for (Index i = 0; i < a.q.size(); ++i) exact.q[i] = double{a.q[i]};
        for (Index i = 0; i < a.kv.size(); ++i) exact.kv[i] = double{a.kv[i]};
        for (Index i = 0; i < a.draws.size(); ++i) exact.draws[i] = double{a.draws[i]};
        const Guarded<float> dout(a.out.size(), 9);
        Guarded<double> wide(dout.size());
        for (Index i = 0; i < dout.size(); ++i) wide[i] = double{dout[i]};
        Guarded<float> dq(a.q.size()), dkv(a.kv.size());
        Guarded<double> dq64(dq.size()), dkv64(dkv.size());
        run_covered(table.causal_attention, &CpuTable::causal_attention, a.args, a.out, a.log_sum);
        run_both_ways(portable.causal_attention, exact.args, exact.out, exact.log_sum);
        run_covered(table.causal_attention_gradient, &CpuTable::causal_attention_gradient,
                    CausalAttentionGradient{DType::f32, a.args, dout.data(), dq.data(), dkv.data()},
                    dq, dkv);
        run_both_ways(
            portable.causal_attention_gradient,
            CausalAttentionGradient{DType::f64, exact.args, wide.data(), dq64.data(), dkv64.data()},
            dq64, dkv64);
        check_close(dq, listed(dq64), 2e-5);
        check_close(dkv, listed(dkv64), 2e-5);
    };
    for_each_isa([&](const CpuTable& table) {
        for (const AttentionCase& c : kAttention) compare(table, c);
        for (const AttentionCase& c : kLargeAttention) compare(table, c);
    });
}

TEST_CASE("a query that sees no token gives zeros and takes no gradient") {
    for_each_isa([](const CpuTable& table) {
        Attention<float> a({1, 1, 4, 3, 3, 0, 1, 0});
        a.mask[0] = 0;
        a.mask[1] = a.mask[2] = 1;
        run_both_ways(table.causal_attention, a.args, a.out, a.log_sum);
        const Guarded<float> dout(a.out.size(), 9);
        Guarded<float> dq(a.q.size()), dkv(a.kv.size());
        run_both_ways(
            table.causal_attention_gradient,
            CausalAttentionGradient{DType::f32, a.args, dout.data(), dq.data(), dkv.data()}, dq,
            dkv);
        CHECK(a.log_sum[0] == -std::numeric_limits<float>::infinity());
        for (Index d = 0; d < 4; ++d) {
            CHECK(a.out[d] == 0);
            CHECK(dq[d] == 0);
            CHECK(dkv[d] == 0);      // the key of the padding
            CHECK(dkv[4 + d] == 0);  // and its value
        }
        CHECK(a.out[4] != 0);
    });
}

TEST_CASE("causal attention refuses queries behind the last token and too many tokens") {
    Attention<float> a({1, 1, 4, 6, 2, 1, 3, 0});
    const auto check = cpu_table(Isa::portable).causal_attention.check;
    CHECK(check(a.args) == Status::ok);
    a.args.query_first = 3;
    CHECK(check(a.args) == Status::bad_argument);
    a.args.query_first = 1;
    a.args.T = kMaxAttentionTokens + 1;
    CHECK(check(a.args) == Status::bad_argument);
    a.args.T = 6;
    a.args.rate = 1;
    CHECK(check(a.args) == Status::bad_argument);
}

TEST_CASE("windows padded on the right go on counting time steps") {
    // Episodes of 3, 1 and 5 steps; row 9 is the padding.
    const Windowed w = windows({0, 3, 4, 9}, {0, 2, 3, 4, 6}, 4, false, 100);
    CHECK(w.rows == List{0, 1, 2, 9, 2, 9, 9, 9, 3, 9, 9, 9, 4, 5, 6, 7, 6, 7, 8, 9});
    CHECK(w.timesteps == List{0, 1, 2, 3, 2, 3, 4, 5, 0, 1, 2, 3, 0, 1, 2, 3, 2, 3, 4, 5});
}

TEST_CASE("windows padded on the left have time step 0 in the padding") {
    const Windowed w = windows({0, 3, 4, 9}, {0, 2, 3, 4, 6}, 4, true, 100);
    CHECK(w.rows == List{9, 0, 1, 2, 9, 9, 9, 2, 9, 9, 9, 3, 4, 5, 6, 7, 9, 6, 7, 8});
    CHECK(w.timesteps == List{0, 0, 1, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 2, 3, 0, 2, 3, 4});
}

TEST_CASE("time steps stop at the last one, and a start outside the data shows") {
    const Windowed w = windows({0, 6}, {3, 6, -1}, 3, false, 4);
    CHECK(w.rows == List{3, 4, 5, -1, -1, -1, -1, -1, -1});
    CHECK(w.timesteps == List{3, 4, 4, 0, 0, 0, 0, 0, 0});
}
