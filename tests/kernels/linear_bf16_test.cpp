// The products of Precision::bf16: against the oracle of the rounded factors as closely as f32 is,
// against that of the factors as they are within bfloat16's precision, and against the portable
// kernel bit for bit where the order of the sums is the same.
#include <cmath>
#include <utility>

#include "base/bf16.h"
#include "tests/kernels/allocations.h"
#include "tests/kernels/bf16_tables.h"
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

using Floats = Guarded<float>;

struct Layer {
    Index N, I, O;
    Index pad;
};

// Small and odd sizes in every place, then units, panels and blocks of the depth with their edges.
std::vector<Layer> layers() {
    std::vector<Layer> all;
    for (Index n : {1, 3, 6, 12, 33}) {
        for (Index i : {1, 11, 17, 23}) {
            for (Index o : {1, 9, 31, 64}) all.push_back({n, i, o, (n + i) % 3});
        }
    }
    for (const Layer& l : {Layer{256, 256, 256, 0}, Layer{130, 23, 256, 0}, Layer{257, 65, 33, 1},
                           Layer{1, 257, 129, 0}, Layer{31, 513, 40, 2}, Layer{300, 16, 300, 0},
                           Layer{600, 48, 97, 3}, Layer{128, 300, 17, 0}}) {
        all.push_back(l);
    }
    return all;
}

Activation any_activation(const Layer& l) {
    constexpr Activation kAll[] = {Activation::none, Activation::relu, Activation::tanh,
                                   Activation::gelu};
    return kAll[(l.N + l.I + l.O) % 4];
}

void round_all(Floats& values) {
    for (Index i = 0; i < values.size(); ++i) values[i] = from_bf16(to_bf16(values[i]));
}

// The error of a sum of products of numbers below 1 whose factors are off by 2^-8 at most, of
// themselves: they add up like steps of a random walk.
double rounding_bound(Index terms) { return 0x1p-7 * std::sqrt(static_cast<double>(terms)); }

struct ForwardCase {
    Floats x, w, bias, y, slope;
    LinearForward args;

    ForwardCase(const Layer& l, Activation activation, bool rounded = false)
        : x(l.N * (l.I + l.pad), 1),
          w(l.O * l.I, 2),
          bias(l.O, 3),
          y(l.N * (l.O + l.pad)),
          slope(l.N * l.O) {
        if (rounded) round_all(x), round_all(w);
        args = {DType::f32,  activation, l.N,         l.I,      l.O,         x.data(),
                l.I + l.pad, w.data(),   bias.data(), y.data(), l.O + l.pad, Precision::bf16};
        args.slope = slope.data();
    }
};

struct InputGradientCase {
    Floats dy, w, below, dx;
    LinearInputGradient args;

    InputGradientCase(const Layer& l, Activation activation, bool rounded = false)
        : dy(l.N * (l.O + l.pad), 1),
          w(l.O * l.I, 2),
          below(l.N * l.I, 3),
          dx(l.N * (l.I + l.pad)) {
        if (rounded) round_all(dy), round_all(w);
        for (Index i = 0; i < below.size(); i += 7) below[i] = 0;
        args = {DType::f32,  activation,  l.N,
                l.I,         l.O,         dy.data(),
                l.O + l.pad, w.data(),    activation == Activation::none ? nullptr : below.data(),
                dx.data(),   l.I + l.pad, Precision::bf16};
    }
};

struct WeightGradientCase {
    Floats dy, x, dw, db;
    LinearWeightGradient args;

    explicit WeightGradientCase(const Layer& l, bool rounded = false)
        : dy(l.N * (l.O + l.pad), 1), x(l.N * (l.I + l.pad), 2), dw(l.O * l.I), db(l.O) {
        if (rounded) round_all(dy), round_all(x);
        args = {DType::f32, l.N,         l.I,       l.O,       dy.data(),      l.O + l.pad,
                x.data(),   l.I + l.pad, dw.data(), db.data(), Precision::bf16};
    }
};

bool emulated(Isa isa) { return isa == Isa::avx2 || isa == Isa::avx512; }

}  // namespace

TEST_CASE("a float is rounded to the nearest bfloat16, ties to even") {
    CHECK(from_bf16(to_bf16(1.0F)) == 1.0F);
    CHECK(from_bf16(to_bf16(1.0F + 0x1p-8F)) == 1.0F);                      // a tie, down to even
    CHECK(from_bf16(to_bf16(1.0F + 0x1p-7F + 0x1p-8F)) == 1.0F + 0x1p-6F);  // a tie, up to even
    CHECK(from_bf16(to_bf16(1.0F + 0x1p-8F + 0x1p-20F)) == 1.0F + 0x1p-7F);
    CHECK(from_bf16(to_bf16(-3.0F)) == -3.0F);
    CHECK(std::isinf(from_bf16(to_bf16(std::numeric_limits<float>::max()))));
    CHECK(from_bf16(to_bf16(0x1p-126F)) == 0x1p-126F);
    CHECK(from_bf16(to_bf16(0x1.8p-127F)) == 0);
    CHECK(std::signbit(from_bf16(to_bf16(-0x1p-140F))));
    CHECK(std::isnan(from_bf16(to_bf16(std::numeric_limits<float>::quiet_NaN()))));
    CHECK(std::isnan(from_bf16(to_bf16(__builtin_bit_cast(float, 0x7f800001U)))));
}

TEST_CASE("every kernel rounds as to_bf16 does") {
    std::vector<float> values = {0.0F,
                                 1.0F + 0x1p-8F,
                                 1.0F + 0x1p-7F + 0x1p-8F,
                                 1.0F + 0x1.1p-8F,
                                 -7.77F,
                                 3e38F,
                                 -3e38F,
                                 0x1p-126F,
                                 0x1.fp-127F,
                                 -0x1p-140F,
                                 std::numeric_limits<float>::max(),
                                 std::numeric_limits<float>::infinity(),
                                 std::numeric_limits<float>::quiet_NaN()};
    std::mt19937 bits(7);
    while (values.size() < 200) {
        const auto x = __builtin_bit_cast(float, static_cast<std::uint32_t>(bits()));
        if (std::isfinite(x)) values.push_back(x);
    }
    for_each_bf16_table([&](const CpuTable& table, Isa) {
        const auto n = static_cast<Index>(values.size());
        ForwardCase c({n, 1, 12, 0}, Activation::none);
        for (Index i = 0; i < n; ++i) c.x[i] = values[static_cast<std::size_t>(i)];
        for (Index o = 0; o < 12; ++o) c.w[o] = 1;
        c.args.bias = nullptr;
        run_both_ways(table.linear_forward_bf16, c.args, c.y);
        for (Index i = 0; i < n * 12; ++i) {
            const float want = from_bf16(to_bf16(c.x[i / 12]));
            INFO("of ", c.x[i / 12], " came ", c.y[i], " for ", want);
            CHECK((c.y[i] == want || (std::isnan(c.y[i]) && std::isnan(want))));
        }
    });
}

TEST_CASE("bf16 forward agrees with its oracle") {
    for_each_bf16_table([](const CpuTable& table, Isa isa) {
        for (const Layer& l : layers()) {
            INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            ForwardCase c(l, any_activation(l)), rounded(l, any_activation(l), true);
            run_both_ways(table.linear_forward_bf16, c.args, c.y);
            run_both_ways(table.linear_forward_bf16, rounded.args, rounded.y);
            CHECK(same_bits(c.y, rounded.y));
            check_close(c.y, oracle::linear_forward<float>(rounded.args), bound_of<float>(l.I), l.O,
                        l.O + l.pad);
            check_close(c.y, oracle::linear_forward<float>(c.args), rounding_bound(l.I), l.O,
                        l.O + l.pad);
            const Activation activation = any_activation(l);
            if (activation == Activation::gelu) {
                check_close(c.slope, oracle::linear_slope<float>(rounded.args),
                            bound_of<float>(l.I));
            }
            if (!emulated(isa) || activation == Activation::tanh || activation == Activation::gelu)
                continue;
            ForwardCase portable(l, any_activation(l));
            run_both_ways(cpu_table(Isa::portable).linear_forward_bf16, portable.args, portable.y);
            CHECK(same_bits(c.y, portable.y));
        }
    });
}

TEST_CASE("bf16 input gradient agrees with its oracle") {
    for_each_bf16_table([](const CpuTable& table, Isa isa) {
        for (const Layer& l : layers()) {
            INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            InputGradientCase c(l, any_activation(l)), rounded(l, any_activation(l), true);
            run_both_ways(table.linear_input_gradient_bf16, c.args, c.dx);
            run_both_ways(table.linear_input_gradient_bf16, rounded.args, rounded.dx);
            CHECK(same_bits(c.dx, rounded.dx));
            check_close(c.dx, oracle::linear_input_gradient<float>(rounded.args),
                        bound_of<float>(l.O), l.I, l.I + l.pad);
            check_close(c.dx, oracle::linear_input_gradient<float>(c.args), rounding_bound(l.O),
                        l.I, l.I + l.pad);
            if (!emulated(isa)) continue;
            InputGradientCase portable(l, any_activation(l));
            run_both_ways(cpu_table(Isa::portable).linear_input_gradient_bf16, portable.args,
                          portable.dx);
            CHECK(same_bits(c.dx, portable.dx));
        }
    });
}

TEST_CASE("bf16 weight gradient agrees with its oracle, and the bias's is f32") {
    for_each_bf16_table([](const CpuTable& table, Isa isa) {
        for (const Layer& l : layers()) {
            INFO("N ", l.N, " I ", l.I, " O ", l.O, " pad ", l.pad);
            WeightGradientCase c(l), rounded(l, true);
            run_both_ways(table.linear_weight_gradient_bf16, c.args, c.dw, c.db);
            run_both_ways(table.linear_weight_gradient_bf16, rounded.args, rounded.dw, rounded.db);
            CHECK(same_bits(c.dw, rounded.dw));
            check_close(c.dw, oracle::linear_weight_gradient<float>(rounded.args),
                        bound_of<float>(l.N));
            check_close(c.dw, oracle::linear_weight_gradient<float>(c.args), rounding_bound(l.N));
            check_close(c.db, oracle::linear_bias_gradient<float>(c.args), bound_of<float>(l.N));
            WeightGradientCase portable(l);
            run_both_ways(cpu_table(Isa::portable).linear_weight_gradient_bf16, portable.args,
                          portable.dw, portable.db);
            CHECK(same_bits(c.db, portable.db));
            if (emulated(isa)) CHECK(same_bits(c.dw, portable.dw));
        }
    });
}

TEST_CASE("bf16 gradients of no rows are zero, and without a bias none is written") {
    for_each_bf16_table([](const CpuTable& table, Isa) {
        WeightGradientCase empty({0, 20, 20, 0});
        run_both_ways(table.linear_weight_gradient_bf16, empty.args, empty.dw, empty.db);
        check_close(empty.dw, oracle::Values(400, 0.0), 0);
        check_close(empty.db, oracle::Values(20, 0.0), 0);
        WeightGradientCase none({5, 20, 20, 0});
        none.args.db = nullptr;
        run_both_ways(table.linear_weight_gradient_bf16, none.args, none.dw, none.db);
        check_close(none.db, oracle::Values(20, Floats::kSentinel), 0);
    });
}

TEST_CASE("bf16 input gradient may overwrite the activation that it reads") {
    for_each_bf16_table([](const CpuTable& table, Isa) {
        InputGradientCase apart({150, 40, 300, 0}, Activation::relu);
        InputGradientCase aliased({150, 40, 300, 0}, Activation::relu);
        aliased.args.dx = aliased.below.data();
        run_both_ways(table.linear_input_gradient_bf16, apart.args, apart.dx);
        run_both_ways(table.linear_input_gradient_bf16, aliased.args, aliased.below);
        CHECK(same_bits(apart.dx, aliased.below));
    });
}

TEST_CASE("a row of the bf16 forward pass does not depend on the rows beside it") {
    for_each_bf16_table([](const CpuTable& table, Isa) {
        for (Index o : {1, 3, 20, 70}) {
            ForwardCase batch({140, 300, o, 0}, Activation::relu);
            run_both_ways(table.linear_forward_bf16, batch.args, batch.y);
            for (Index n = 0; n < 140; n += 23) {
                ForwardCase one({1, 300, o, 0}, Activation::relu);
                one.args.x = batch.x.data() + n * 300;
                run_both_ways(table.linear_forward_bf16, one.args, one.y);
                const auto bytes = static_cast<std::size_t>(o) * sizeof(float);
                CHECK(std::memcmp(one.y.data(), batch.y.data() + n * o, bytes) == 0);
            }
        }
    });
}

TEST_CASE("kernels of one precision refuse the other, and bf16 refuses f64") {
    ForwardCase c({4, 5, 20, 0}, Activation::none);
    for_each_bf16_table([&](const CpuTable& table, Isa) {
        CHECK(table.linear_forward.check(c.args) != Status::ok);
        LinearForward full = c.args;
        full.precision = Precision::full;
        CHECK(table.linear_forward_bf16.check(full) != Status::ok);
        LinearForward wide = c.args;
        wide.dtype = DType::f64;
        CHECK(table.linear_forward_bf16.check(wide) != Status::ok);
    });
}

TEST_CASE("bf16 kernels take nothing from the heap") {
    for_each_bf16_table([](const CpuTable& table, Isa) {
        const Layer l = {300, 600, 90, 0};
        ForwardCase f(l, Activation::relu);
        InputGradientCase i(l, Activation::relu);
        WeightGradientCase w(l);
        const std::size_t before = allocations();
        table.linear_forward_bf16.run(f.args, 0, table.linear_forward_bf16.units(f.args));
        table.linear_input_gradient_bf16.run(i.args, 0,
                                             table.linear_input_gradient_bf16.units(i.args));
        table.linear_weight_gradient_bf16.run(w.args, 0,
                                              table.linear_weight_gradient_bf16.units(w.args));
        const std::size_t taken = allocations() - before;
        CHECK(taken == 0);
    });
}
