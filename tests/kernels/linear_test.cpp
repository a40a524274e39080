// The three linear kernels and the matrix product against their oracles.
#include <array>

#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

struct Layer {
    Index N, I, O;
    Index pad;  // leading dimensions are this much longer than the rows
};

// All of a small set, then every size in each place beside others.
std::vector<Layer> layers() {
    std::vector<Layer> all;
    for (Index n : {1, 6, 17}) {
        for (Index i : {1, 3, 16, 33}) {
            for (Index o : {1, 8, 9, 31}) all.push_back({n, i, o, 0});
        }
    }
    constexpr Index kCount = std::size(kSizes);
    for (Index k = 0; k < kCount; ++k) {
        all.push_back(
            {kSizes[k], kSizes[(5 * k + 1) % kCount], kSizes[(7 * k + 3) % kCount], k % 4});
    }
    all.push_back({256, 17, 256, 0});
    all.push_back({64, 1025, 20, 1});
    all.push_back({600, 5, 7, 0});
    // Each way that the vector kernels go by size, with several units and blocks of the depth.
    all.push_back({2100, 40, 20, 0});
    all.push_back({530, 140, 80, 2});
    all.push_back({300, 290, 2, 1});
    all.push_back({300, 70, 3, 0});
    all.push_back({300, 24, 200, 3});
    all.push_back({300, 3, 256, 0});
    all.push_back({140, 12, 70, 1});
    all.push_back({20, 11, 1030, 0});
    all.push_back({300, 50, 12, 2});
    all.push_back({140, 49, 5, 0});
    all.push_back({270, 34, 260, 0});
    return all;
}

constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::tanh,
                                       Activation::gelu};

Activation any_activation(const Layer& l) { return kActivations[(l.N + l.I + l.O) % 4]; }

template <class T>
struct ForwardCase {
    Guarded<T> x, w, bias, y;
    LinearForward args;

    ForwardCase(const Layer& l, Activation activation, bool with_bias = true)
        : x(l.N * (l.I + l.pad), 1), w(l.O * l.I, 2), bias(l.O, 3), y(l.N * (l.O + l.pad)) {
        args = {dtype_of<T>(), activation, l.N,
                l.I,           l.O,        x.data(),
                l.I + l.pad,   w.data(),   with_bias ? bias.data() : nullptr,
                y.data(),      l.O + l.pad};
    }
};

template <class T>
struct InputGradientCase {
    Guarded<T> dy, w, below, dx;
    LinearInputGradient args;

    InputGradientCase(const Layer& l, Activation activation)
        : dy(l.N * (l.O + l.pad), 1),
          w(l.O * l.I, 2),
          below(l.N * l.I, 3),
          dx(l.N * (l.I + l.pad)) {
        for (Index i = 0; i < below.size(); i += 7) below[i] = 0;
        args = {dtype_of<T>(), activation, l.N,
                l.I,           l.O,        dy.data(),
                l.O + l.pad,   w.data(),   activation == Activation::none ? nullptr : below.data(),
                dx.data(),     l.I + l.pad};
    }
};

template <class T>
struct WeightGradientCase {
    Guarded<T> dy, x, dw, db;
    LinearWeightGradient args;

    explicit WeightGradientCase(const Layer& l, bool with_bias = true)
        : dy(l.N * (l.O + l.pad), 1), x(l.N * (l.I + l.pad), 2), dw(l.O * l.I), db(l.O) {
        args = {dtype_of<T>(), l.N,      l.I,         l.O,       dy.data(),
                l.O + l.pad,   x.data(), l.I + l.pad, dw.data(), with_bias ? db.data() : nullptr};
    }
};

}  // namespace

TEST_CASE("linear forward agrees with its oracle") {
    for_each_kernel(&CpuTable::linear_forward, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layer& l : layers()) {
            INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            ForwardCase<T> c(l, any_activation(l), l.I % 4 != 0);
            run_both_ways(kernel, c.args, c.y);
            check_close(c.y, oracle::linear_forward<T>(c.args), bound_of<T>(l.I), l.O, l.O + l.pad);
        }
    });
}

TEST_CASE("linear forward adds a residual whose rows serve several rows of the output") {
    for_each_kernel(&CpuTable::linear_forward, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layer& l : layers()) {
            for (Index repeat : {Index{1}, Index{2}, Index{3}, l.N}) {
                if (repeat == 0 || l.N % repeat != 0) continue;
                INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad, " repeat ", repeat);
                ForwardCase<T> c(l, any_activation(l), repeat != 2);
                const Guarded<T> residual(l.N / repeat * l.O, 7);
                c.args.residual = residual.data();
                c.args.repeat = repeat;
                run_both_ways(kernel, c.args, c.y);
                check_close(c.y, oracle::linear_forward<T>(c.args), bound_of<T>(l.I), l.O,
                            l.O + l.pad);
            }
        }
    });
}

TEST_CASE("linear forward stores gelu's slope, or drops it") {
    for_each_kernel(&CpuTable::linear_forward, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layer& l : layers()) {
            INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            ForwardCase<T> c(l, Activation::gelu), dropped(l, Activation::gelu);
            Guarded<T> slope(l.N * l.O);
            c.args.slope = slope.data();
            run_both_ways(kernel, c.args, c.y, slope);
            run_both_ways(kernel, dropped.args, dropped.y);
            CHECK(same_bits(c.y, dropped.y));
            check_close(c.y, oracle::linear_forward<T>(c.args), bound_of<T>(l.I), l.O, l.O + l.pad);
            check_close(slope, oracle::linear_slope<T>(c.args), bound_of<T>(l.I));
        }
    });
}

TEST_CASE("linear input gradient agrees with its oracle") {
    for_each_kernel(&CpuTable::linear_input_gradient, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layer& l : layers()) {
            INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            InputGradientCase<T> c(l, any_activation(l));
            run_both_ways(kernel, c.args, c.dx);
            check_close(c.dx, oracle::linear_input_gradient<T>(c.args), bound_of<T>(l.O), l.I,
                        l.I + l.pad);
        }
    });
}

TEST_CASE("linear weight gradient agrees with its oracle") {
    for_each_kernel(&CpuTable::linear_weight_gradient, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layer& l : layers()) {
            INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            WeightGradientCase<T> c(l);
            run_both_ways(kernel, c.args, c.dw, c.db);
            check_close(c.dw, oracle::linear_weight_gradient<T>(c.args), bound_of<T>(l.N));
            check_close(c.db, oracle::linear_bias_gradient<T>(c.args), bound_of<T>(l.N));
        }
    });
}

TEST_CASE("linear weight gradient without a bias writes none, and of no rows is zero") {
    for_each_kernel(&CpuTable::linear_weight_gradient, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        WeightGradientCase<T> none({5, 20, 20, 0}, false);
        run_both_ways(kernel, none.args, none.dw, none.db);
        check_close(none.db, oracle::Values(20, Guarded<T>::kSentinel), 0);
        WeightGradientCase<T> empty({0, 20, 20, 0});
        run_both_ways(kernel, empty.args, empty.dw, empty.db);
        check_close(empty.dw, oracle::Values(400, 0.0), 0);
        check_close(empty.db, oracle::Values(20, 0.0), 0);
    });
}

TEST_CASE("each element of a gradient is written by one unit") {
    for_each_kernel(&CpuTable::linear_weight_gradient, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        const Layer l = {3, 300, 290, 0};
        std::vector<int> weights(static_cast<std::size_t>(l.O * l.I)), biases(290);
        const Index units = kernel.units(WeightGradientCase<T>(l).args);
        REQUIRE(units > 4);
        for (Index u = 0; u < units; ++u) {
            WeightGradientCase<T> c(l);
            kernel.run(c.args, u, u + 1);
            for (Index k = 0; k < l.O * l.I; ++k) weights[k] += c.dw[k] != Guarded<T>::kSentinel;
            for (Index o = 0; o < l.O; ++o) biases[o] += c.db[o] != Guarded<T>::kSentinel;
        }
        CHECK(std::count(weights.begin(), weights.end(), 1) == l.O * l.I);
        CHECK(std::count(biases.begin(), biases.end(), 1) == l.O);
    });
}

TEST_CASE("linear input gradient may overwrite the activation that it reads") {
    for_each_kernel(&CpuTable::linear_input_gradient, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Activation activation : {Activation::relu, Activation::tanh, Activation::gelu}) {
            InputGradientCase<T> apart({150, 40, 300, 0}, activation);
            InputGradientCase<T> aliased({150, 40, 300, 0}, activation);
            aliased.args.dx = aliased.below.data();
            run_both_ways(kernel, apart.args, apart.dx);
            run_both_ways(kernel, aliased.args, aliased.below);
            CHECK(same_bits(apart.dx, aliased.below));
        }
    });
}

TEST_CASE("linear kernels let NaN through and relu has no gradient at zero") {
    for_each_kernel(&CpuTable::linear_forward, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Activation activation : kActivations) {
            ForwardCase<T> c({9, 5, 12, 0}, activation);
            c.x[4 * 5 + 2] = static_cast<T>(oracle::kNan);
            run_both_ways(kernel, c.args, c.y);
            for (Index i = 0; i < 9 * 12; ++i) CHECK(std::isnan(c.y[i]) == (i / 12 == 4));
        }
    });
    for_each_kernel(&CpuTable::linear_input_gradient, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        InputGradientCase<T> c({9, 5, 12, 0}, Activation::relu);
        c.below[20] = -T(0);
        c.below[21] = 1;
        c.below[22] = static_cast<T>(oracle::kNan);
        c.dy[4 * 12] = static_cast<T>(oracle::kNan);
        run_both_ways(kernel, c.args, c.dx);
        CHECK(c.dx[20] == 0);
        CHECK(std::isnan(c.dx[21]));
        CHECK(c.dx[22] == 0);
    });
}

TEST_CASE("a row of the forward pass does not depend on the rows beside it") {
    for_each_kernel(&CpuTable::linear_forward, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index o : {1, 3, 20}) {
            ForwardCase<T> batch({140, 300, o, 0}, Activation::relu);
            run_both_ways(kernel, batch.args, batch.y);
            for (Index n = 0; n < 140; n += 23) {
                ForwardCase<T> one({1, 300, o, 0}, Activation::relu);
                one.args.x = batch.x.data() + n * 300;
                one.args.w = batch.w.data();
                one.args.bias = batch.bias.data();
                run_both_ways(kernel, one.args, one.y);
                const auto bytes = static_cast<std::size_t>(o) * sizeof(T);
                const bool same = std::memcmp(one.y.data(), batch.y.data() + n * o, bytes) == 0;
                CHECK(same);
            }
        }
    });
}

TEST_CASE("the forward pass does not depend on where its operands lie") {
    for_each_kernel(&CpuTable::linear_forward, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index o : {1, 3, 20}) {
            const Layer l = {70, 300, o, 0};
            ForwardCase<T> here(l, Activation::none);
            run_both_ways(kernel, here.args, here.y);
            for (Index shift = 1; shift < 4; ++shift) {
                ForwardCase<T> there(l, Activation::none);
                Guarded<T> x(l.N * l.I + shift), w(l.O * l.I + shift), y(l.N * l.O + shift);
                std::copy_n(here.x.data(), l.N * l.I, x.data() + shift);
                std::copy_n(here.w.data(), l.O * l.I, w.data() + shift);
                there.args.x = x.data() + shift;
                there.args.w = w.data() + shift;
                there.args.y = y.data() + shift;
                run_both_ways(kernel, there.args, y);
                const auto bytes = static_cast<std::size_t>(l.N * l.O) * sizeof(T);
                const bool same = std::memcmp(here.y.data(), y.data() + shift, bytes) == 0;
                CHECK(same);
            }
        }
    });
}

template <class Case, class Args>
void check_packed(const CpuTable& table, const CpuKernel<Args>& kernel, PackedFor product,
                  const Layer& l, Guarded<float> Case::*written) {
    Case plain(l, any_activation(l)), packs(l, any_activation(l));
    Guarded<float> packed(packed_weights_size(product, l.I, l.O));
    run_both_ways(table.pack_weights,
                  {DType::f32, product, l.I, l.O, plain.w.data(), packed.data()}, packed);
    packs.args.packed = packed.data();
    run_both_ways(kernel, plain.args, plain.*written);
    run_both_ways(kernel, packs.args, packs.*written);
    CHECK(same_bits(plain.*written, packs.*written));
}

TEST_CASE("products of packed weights have the bits of those that pack for themselves") {
    for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512, Isa::neon}) {
        if (!has_isa(isa)) continue;
        const CpuTable& table = cpu_table(isa);
        for (const Layer& l : layers()) {
            INFO(name_of(isa), " N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            check_packed(table, table.linear_forward, PackedFor::forward, l,
                         &ForwardCase<float>::y);
            check_packed(table, table.linear_input_gradient, PackedFor::input_gradient, l,
                         &InputGradientCase<float>::dx);
        }
    }
}

TEST_CASE("avx2 and avx512 give the same bits") {
    if (!has_isa(Isa::avx512)) {
        MESSAGE("skipped: this processor has no avx512");
        return;
    }
    const CpuTable &narrow = cpu_table(Isa::avx2), &wide = cpu_table(Isa::avx512);
    for (const Layer& l : layers()) {
        if (l.N == 0) continue;
        INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
        ForwardCase<float> y2(l, Activation::relu), y512(l, Activation::relu);
        run_both_ways(narrow.linear_forward, y2.args, y2.y);
        run_both_ways(wide.linear_forward, y512.args, y512.y);
        CHECK(same_bits(y2.y, y512.y));
        ForwardCase<float> g2(l, Activation::gelu), g512(l, Activation::gelu);
        run_both_ways(narrow.linear_forward, g2.args, g2.y);
        run_both_ways(wide.linear_forward, g512.args, g512.y);
        CHECK(same_bits(g2.y, g512.y));
        InputGradientCase<float> x2(l, Activation::relu), x512(l, Activation::relu);
        run_both_ways(narrow.linear_input_gradient, x2.args, x2.dx);
        run_both_ways(wide.linear_input_gradient, x512.args, x512.dx);
        CHECK(same_bits(x2.dx, x512.dx));
        WeightGradientCase<float> w2(l), w512(l);
        run_both_ways(narrow.linear_weight_gradient, w2.args, w2.dw, w2.db);
        run_both_ways(wide.linear_weight_gradient, w512.args, w512.dw, w512.db);
        CHECK(same_bits(w2.dw, w512.dw));
        CHECK(same_bits(w2.db, w512.db));
    }
}

TEST_CASE("matmul agrees with its oracle in all transpositions") {
    for_each_kernel(&CpuTable::matmul, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layer& l : layers()) {
            for (int t = 0; t < 4; ++t) {
                const bool ta = (t & 1) != 0, tb = (t & 2) != 0;
                const Index M = l.N, N = l.O, K = l.I;
                INFO("M ", M, " N ", N, " K ", K, " ta ", ta, " tb ", tb);
                const Index lda = (ta ? M : K) + l.pad, ldb = (tb ? K : N) + l.pad, ldc = N + l.pad;
                const Guarded<T> a((ta ? K : M) * lda, 1), b((tb ? N : K) * ldb, 2);
                Guarded<T> c(M * ldc);
                const Matmul args = {dtype_of<T>(), ta,  tb,       M,   N,        K,
                                     a.data(),      lda, b.data(), ldb, c.data(), ldc};
                run_both_ways(kernel, args, c);
                check_close(c, oracle::matmul<T>(args), bound_of<T>(K), N, ldc);
            }
        }
    });
}

TEST_CASE("a product of depth zero is zero") {
    for_each_kernel(&CpuTable::matmul, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        Guarded<T> c(70 * 5);
        const Matmul args = {dtype_of<T>(), false, false,   70, 5,        0,
                             nullptr,       0,     nullptr, 5,  c.data(), 5};
        run_both_ways(kernel, args, c);
        check_close(c, oracle::Values(70 * 5, 0.0), 0);
    });
}

TEST_CASE("linear kernels refuse impossible sizes and dtypes") {
    for_each_isa([](const CpuTable& table) {
        LinearForward args = ForwardCase<float>({4, 3, 5, 0}, Activation::none).args;
        CHECK(table.linear_forward.check(args) == Status::ok);
        args.N = 0;
        CHECK(table.linear_forward.check(args) == Status::ok);
        CHECK(table.linear_forward.units(args) == 0);
        for (Index LinearForward::*size : {&LinearForward::N, &LinearForward::I, &LinearForward::O,
                                           &LinearForward::ldx, &LinearForward::ldy}) {
            LinearForward bad = args;
            bad.*size = -1;
            CHECK(table.linear_forward.check(bad) == Status::bad_argument);
        }
        Matmul product = {DType::f32, true, false, 4, 5, 6, nullptr, 4, nullptr, 5, nullptr, 5};
        CHECK(table.matmul.check(product) == Status::ok);
        product.lda = 3;
        CHECK(table.matmul.check(product) == Status::bad_argument);
        product = {DType::i64, false, false, 4, 5, 6, nullptr, 6, nullptr, 5, nullptr, 5};
        CHECK(table.matmul.check(product) == Status::bad_argument);
    });
}

TEST_CASE("the vector kernels leave f64 to the portable ones") {
    if (best_isa() == Isa::portable) {
        MESSAGE("skipped: this processor has nothing but the portable ones");
        return;
    }
    const CpuTable& table = cpu_table(best_isa());
    CHECK(table.linear_forward.check(ForwardCase<double>({4, 3, 5, 0}, Activation::none).args) ==
          Status::unsupported);
    CHECK(table.linear_input_gradient.check(
              InputGradientCase<double>({4, 3, 5, 0}, Activation::none).args) ==
          Status::unsupported);
    CHECK(table.linear_weight_gradient.check(WeightGradientCase<double>({4, 3, 5, 0}).args) ==
          Status::unsupported);
    CHECK(table.expectile_loss.check({DType::f64, 0.7, 4, nullptr, nullptr, nullptr}) ==
          Status::unsupported);
    CHECK(table.adam_step.check({DType::f64, 4, nullptr, nullptr, nullptr, nullptr, nullptr,
                                 nullptr, 0}) == Status::unsupported);
    CHECK(table.polyak.check({DType::f64, 4, 0.5, nullptr, nullptr}) == Status::unsupported);
}
