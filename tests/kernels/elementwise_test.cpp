// Elementwise maps: every operation on one array, every layout with one operation.
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

constexpr Unary kUnary[] = {
    Unary::copy,        Unary::negate,     Unary::exp,        Unary::log,        Unary::sqrt,
    Unary::square,      Unary::absolute,   Unary::relu,       Unary::tanh,       Unary::sigmoid,
    Unary::softplus,    Unary::gelu,       Unary::add_scalar, Unary::mul_scalar, Unary::rsub_scalar,
    Unary::rdiv_scalar, Unary::min_scalar, Unary::max_scalar, Unary::clamp,      Unary::positive,
    Unary::inside};

constexpr Binary kBinary[] = {Binary::add,           Binary::sub,           Binary::mul,
                              Binary::div,           Binary::minimum,       Binary::maximum,
                              Binary::less,          Binary::less_equal,    Binary::equal,
                              Binary::relu_gradient, Binary::tanh_gradient, Binary::gelu_gradient};

// Ordinary values and the ones at which implementations differ.
template <class T>
Guarded<T> values() {
    using Limits = std::numeric_limits<T>;
    Guarded<T> x(300, 5, -3, 3);
    const T special[] = {0,
                         -T(0),
                         1,
                         -1,
                         T(0.25),
                         T(-0.5),
                         88,
                         -88,
                         100,
                         -100,
                         T(1e30),
                         T(-1e30),
                         Limits::min(),
                         Limits::denorm_min(),
                         Limits::max(),
                         Limits::infinity(),
                         -Limits::infinity(),
                         Limits::quiet_NaN()};
    std::copy(std::begin(special), std::end(special), x.data());
    return x;
}

MapShape flat(Index n) { return {{1, 1, 1, n}}; }

// A layout: dimensions, and for each operand strides that may repeat, transpose or leave gaps.
// Vector kernels must take those whose innermost runs are contiguous or repeat an input.
struct Layout {
    MapShape shape;
    Index a[4], b[4], y[4];
    bool runs;
};

constexpr Layout kLayouts[] = {
    {{{1, 1, 1, 3 * 8192 + 5}}, {0, 0, 0, 1}, {0, 0, 0, 1}, {0, 0, 0, 1}, true},
    {{{1, 1, 300, 60}}, {0, 0, 60, 1}, {0, 0, 0, 1}, {0, 0, 60, 1}, true},
    {{{1, 1, 300, 60}}, {0, 0, 1, 0}, {0, 0, 60, 1}, {0, 0, 60, 1}, true},
    {{{1, 1, 17, 33}}, {0, 0, 0, 0}, {0, 0, 33, 1}, {0, 0, 33, 1}, true},
    {{{1, 1, 17, 33}}, {0, 0, 1, 17}, {0, 0, 33, 1}, {0, 0, 33, 1}, false},
    {{{1, 1, 17, 33}}, {0, 0, 33, 1}, {0, 0, 66, 2}, {0, 0, 1, 17}, false},
    {{{1, 1, 15, 16}}, {0, 0, 31, 1}, {0, 0, 16, 1}, {0, 0, 20, 1}, true},
    {{{3, 5, 7, 2}}, {70, 14, 2, 1}, {0, 2, 0, 1}, {70, 14, 2, 1}, true},
    {{{3, 5, 7, 2}}, {1, 3, 15, 105}, {0, 0, 2, 1}, {70, 1, 10, 5}, false},
    {{{31, 1, 127, 1}}, {127, 9, 1, 9}, {1, 0, 0, 0}, {127, 0, 1, 0}, true},
    {{{2, 64, 1, 256}}, {256, 512, 0, 1}, {16384, 256, 0, 1}, {16384, 256, 0, 1}, true},
    {{{1, 4, 0, 3}}, {0, 0, 0, 1}, {0, 0, 0, 1}, {0, 3, 3, 1}, true},
};

Index span_of(const MapShape& s, const Index* strides) {
    const std::vector<Index> all = oracle::places(s, strides);
    return all.empty() ? 1 : *std::max_element(all.begin(), all.end()) + 1;
}

Operand operand(const void* data, const Index* s) { return {data, {s[0], s[1], s[2], s[3]}}; }

Result result(void* data, const Index* s) { return {data, {s[0], s[1], s[2], s[3]}}; }

// want[place of element i in y] = value(place in a, place in b); sentinels elsewhere.
template <class T, class F>
oracle::Values expected(const Layout& l, Index size, F value) {
    const auto a = oracle::places(l.shape, l.a), b = oracle::places(l.shape, l.b);
    const auto y = oracle::places(l.shape, l.y);
    oracle::Values want(static_cast<std::size_t>(size), Guarded<T>::kSentinel);
    for (std::size_t i = 0; i < y.size(); ++i) want[y[i]] = value(a[i], b[i]);
    return want;
}

}  // namespace

TEST_CASE("unary operations agree with their oracles, special values included") {
    for_each_kernel(&CpuTable::unary, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        const Guarded<T> x = values<T>();
        const double p = -0.5, q = 0.25;
        for (Unary op : kUnary) {
            CAPTURE(static_cast<int>(op));
            Guarded<T> y(x.size());
            const UnaryMap args = {
                dtype_of<T>(),           op, p, q, flat(x.size()), {x.data(), {0, 0, 0, 1}},
                {y.data(), {0, 0, 0, 1}}};
            run_both_ways(kernel, args, y);
            oracle::Values want;
            for (Index i = 0; i < x.size(); ++i) want.push_back(oracle::unary(op, x[i], p, q));
            check_close(y, want, bound_of<T>(2));
        }
    });
}

TEST_CASE("operations without a function of libm have the bits of the portable kernel") {
    const Guarded<float> x = values<float>();
    const auto libm = [](Unary op) {
        return op == Unary::exp || op == Unary::log || op == Unary::tanh || op == Unary::sigmoid ||
               op == Unary::softplus || op == Unary::gelu;
    };
    for_each_isa([&](const CpuTable& table) {
        for (Unary op : kUnary) {
            if (libm(op)) continue;
            CAPTURE(static_cast<int>(op));
            Guarded<float> want(x.size()), got(x.size());
            UnaryMap args = {DType::f32,
                             op,
                             -0.5,
                             0.25,
                             flat(x.size()),
                             {x.data(), {0, 0, 0, 1}},
                             {want.data(), {0, 0, 0, 1}}};
            cpu_table(Isa::portable).unary.run(args, 0, 1);
            args.y.data = got.data();
            table.unary.run(args, 0, 1);
            CHECK(same_bits(got, want));
        }
    });
}

TEST_CASE("the tails of sigmoid and softplus are not rounded to zero") {
    for_each_kernel(&CpuTable::unary, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        Guarded<T> x(2);
        x[0] = -80;
        x[1] = -20;
        for (Unary op : {Unary::sigmoid, Unary::softplus}) {
            Guarded<T> y(2);
            kernel.run({dtype_of<T>(),
                        op,
                        0,
                        0,
                        flat(2),
                        {x.data(), {0, 0, 0, 1}},
                        {y.data(), {0, 0, 0, 1}}},
                       0, 1);
            for (Index i = 0; i < 2; ++i) {
                const double want = std::exp(static_cast<double>(x[i]));
                CHECK(std::fabs(static_cast<double>(y[i]) / want - 1) < 1e-6);
            }
        }
    });
}

TEST_CASE("binary operations agree with their oracles, special values included") {
    for_each_kernel(&CpuTable::binary, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        const Guarded<T> x = values<T>();
        constexpr Index kSpecial = 18;
        for (Binary op : kBinary) {
            CAPTURE(static_cast<int>(op));
            // Every special value against every other, then ordinary pairs.
            Guarded<T> a(kSpecial * kSpecial + 200), b(a.size()), y(a.size());
            for (Index i = 0; i < a.size(); ++i) {
                const bool special = i < kSpecial * kSpecial;
                a[i] = special ? x[i / kSpecial] : x[kSpecial + i % 281];
                b[i] = special ? x[i % kSpecial] : x[kSpecial + i * 7 % 281];
            }
            const BinaryMap args = {dtype_of<T>(),
                                    op,
                                    flat(a.size()),
                                    {a.data(), {0, 0, 0, 1}},
                                    {b.data(), {0, 0, 0, 1}},
                                    {y.data(), {0, 0, 0, 1}}};
            run_both_ways(kernel, args, y);
            oracle::Values want;
            for (Index i = 0; i < a.size(); ++i) {
                // The oracle's 1 - b^2 has no overflow where T's has.
                const double square = static_cast<double>(static_cast<T>(b[i] * b[i]));
                want.push_back(op == Binary::tanh_gradient ? a[i] * (1 - square)
                                                           : oracle::binary(op, a[i], b[i]));
            }
            check_close(y, want, bound_of<T>(2));
        }
    });
}

TEST_CASE("maps read and write through any strides") {
    for_each_kernel(&CpuTable::binary, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layout& l : kLayouts) {
            CAPTURE(&l - kLayouts);
            const Guarded<T> a(span_of(l.shape, l.a), 1), b(span_of(l.shape, l.b), 2);
            Guarded<T> y(span_of(l.shape, l.y));
            const bool taken =
                run_covered(kernel, &CpuTable::binary,
                            BinaryMap{dtype_of<T>(), Binary::sub, l.shape, operand(a.data(), l.a),
                                      operand(b.data(), l.b), result(y.data(), l.y)},
                            y);
            CHECK((taken || !l.runs));
            check_close(
                y, expected<T>(l, y.size(), [&](Index i, Index j) { return double{a[i] - b[j]}; }),
                0);
        }
    });
    for_each_kernel(&CpuTable::unary, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layout& l : kLayouts) {
            CAPTURE(&l - kLayouts);
            const Guarded<T> a(span_of(l.shape, l.a), 1);
            Guarded<T> y(span_of(l.shape, l.y));
            const bool taken = run_covered(kernel, &CpuTable::unary,
                                           UnaryMap{dtype_of<T>(), Unary::negate, 0, 0, l.shape,
                                                    operand(a.data(), l.a), result(y.data(), l.y)},
                                           y);
            CHECK((taken || !l.runs));
            check_close(y, expected<T>(l, y.size(), [&](Index i, Index) { return double{-a[i]}; }),
                        0);
        }
    });
}

TEST_CASE("where chooses by condition, and NaN counts as true") {
    for_each_kernel(&CpuTable::where, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Layout& l : kLayouts) {
            CAPTURE(&l - kLayouts);
            Guarded<T> condition(span_of(l.shape, l.a), 1);
            for (Index i = 0; i < condition.size(); i += 2) condition[i] = 0;
            if (condition.size() > 3) condition[3] = static_cast<T>(oracle::kNan);
            const Guarded<T> b(span_of(l.shape, l.b), 2);
            const T repeated = T(0.125);
            Guarded<T> y(span_of(l.shape, l.y));
            const bool taken = run_covered(kernel, &CpuTable::where,
                                           WhereMap{dtype_of<T>(),
                                                    l.shape,
                                                    operand(condition.data(), l.a),
                                                    operand(b.data(), l.b),
                                                    {&repeated, {0, 0, 0, 0}},
                                                    result(y.data(), l.y)},
                                           y);
            CHECK((taken || !l.runs));
            const auto chosen = [&](Index i, Index j) {
                return static_cast<double>(condition[i] != 0 ? b[j] : repeated);
            };
            check_close(y, expected<T>(l, y.size(), chosen), 0);
        }
    });
}

TEST_CASE("an output may alias an input of its strides") {
    for_each_kernel(&CpuTable::binary, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        const Guarded<T> b(33, 2);
        Guarded<T> apart(257 * 33), aliased(257 * 33, 1);
        const Guarded<T> a = aliased;
        const Index rows[] = {0, 0, 33, 1}, repeat[] = {0, 0, 0, 1};
        BinaryMap args = {dtype_of<T>(),
                          Binary::mul,
                          {{1, 1, 257, 33}},
                          operand(a.data(), rows),
                          operand(b.data(), repeat),
                          result(apart.data(), rows)};
        run_both_ways(kernel, args, apart);
        args.a.data = args.y.data = aliased.data();
        run_both_ways(kernel, args, aliased);
        CHECK(same_bits(apart, aliased));
    });
}

TEST_CASE("copy moves integers exactly") {
    const CpuKernel<UnaryMap>& kernel = cpu_table(Isa::portable).unary;
    Guarded<std::int64_t> x(17 * 600), y(17 * 600);
    for (Index i = 0; i < x.size(); ++i) x[i] = (Index{1} << 62) + i;
    UnaryMap args = {DType::i64,
                     Unary::copy,
                     0,
                     0,
                     {{1, 1, 600, 17}},
                     {x.data(), {0, 0, 1, 600}},
                     {y.data(), {0, 0, 17, 1}}};
    run_both_ways(kernel, args, y);
    Index wrong = 0;
    for (Index i = 0; i < x.size(); ++i) wrong += y[i] != x[i % 17 * 600 + i / 17];
    CHECK(wrong == 0);
    args.op = Unary::negate;
    CHECK(kernel.check(args) == Status::bad_argument);
}

TEST_CASE("fill writes its value and nothing else") {
    for_each_kernel(&CpuTable::fill, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index n : {1, 17, 8192, 8193, 20000}) {
            Guarded<T> y(n);
            run_both_ways(kernel, Fill{dtype_of<T>(), 0.1, n, y.data()}, y);
            check_close(y, oracle::Values(static_cast<std::size_t>(n), T(0.1)), 0);
            run_both_ways(kernel, Fill{dtype_of<T>(), -2.0, n, y.data(), 0.5}, y);
            oracle::Values ramp(static_cast<std::size_t>(n));
            for (std::size_t i = 0; i < ramp.size(); ++i)
                ramp[i] = -2.0 + 0.5 * static_cast<double>(i);
            check_close(y, ramp, 0);
        }
    });
}

TEST_CASE("maps refuse an output that repeats, negative sizes and foreign dtypes") {
    const CpuTable& table = cpu_table(Isa::portable);
    BinaryMap args = {DType::f32,
                      Binary::add,
                      {{1, 1, 4, 5}},
                      {nullptr, {0, 0, 5, 1}},
                      {nullptr, {0, 0, 0, 1}},
                      {nullptr, {0, 0, 5, 1}}};
    CHECK(table.binary.check(args) == Status::ok);
    args.y.strides[2] = 0;
    CHECK(table.binary.check(args) == Status::bad_argument);
    args.shape.dims[2] = 1;
    CHECK(table.binary.check(args) == Status::ok);
    args.shape.dims[1] = -1;
    CHECK(table.binary.check(args) == Status::bad_argument);
    args.shape.dims[1] = 1;
    args.dtype = DType::i64;
    CHECK(table.binary.check(args) == Status::bad_argument);
    CHECK(table.fill.check({DType::u8, 0, 4, nullptr}) == Status::bad_argument);
    CHECK(table.fill.units({DType::f32, 0, 0, nullptr}) == 0);
}
