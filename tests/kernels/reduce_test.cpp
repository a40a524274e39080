// Reductions over the middle dimension.
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

constexpr Reduction kReductions[] = {Reduction::sum, Reduction::mean, Reduction::max,
                                     Reduction::min, Reduction::logsumexp};

struct Sizes {
    Index outer, length, inner;
};

constexpr Sizes kShapes[] = {
    {1, 1, 1},     {1, 257, 1},   {256, 6, 1},  {60, 31, 2},   {1, 256, 257}, {3, 2, 64},
    {5, 17, 65},   {2, 33, 127},  {127, 16, 1}, {1, 20000, 1}, {700, 60, 1},  {40, 31, 200},
    {20, 5, 1100}, {1, 3000, 15}, {0, 4, 3},    {4, 3, 0},     {9000, 1, 1}};

// The vector kernels leave most reductions to the portable one.
template <class Y>
void run_reduce(const CpuKernel<Reduce>& kernel, const Reduce& args, Y& y) {
    const bool left = kernel.check(args) == Status::unsupported;
    run_both_ways(left ? cpu_table(Isa::portable).reduce : kernel, args, y);
}

}  // namespace

TEST_CASE("reductions agree with their oracles") {
    for_each_kernel(&CpuTable::reduce, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Sizes& s : kShapes) {
            for (Reduction op : kReductions) {
                INFO("op ", static_cast<int>(op), " outer ", s.outer, " length ", s.length,
                     " inner ", s.inner);
                const Guarded<T> x(s.outer * s.length * s.inner, 1, -4, 4);
                Guarded<T> y(s.outer * s.inner);
                const Reduce args = {dtype_of<T>(), op,       s.outer, s.length,
                                     s.inner,       x.data(), y.data()};
                run_reduce(kernel, args, y);
                // In double a sum of `length` terms. In f32 only the result is rounded, but that
                // the vector kernels add rows of 16 outputs and more in f32.
                const bool rounded_once = std::is_same_v<T, float> && s.inner < 16;
                const Index terms = rounded_once ? 1 : 4 * s.length;
                check_close(y, oracle::reduce<T>(args), bound_of<T>(terms));
            }
        }
    });
}

TEST_CASE("a full reduction is a single unit") {
    const CpuKernel<Reduce>& kernel = cpu_table(Isa::portable).reduce;
    CHECK(kernel.units({DType::f32, Reduction::sum, 1, 1 << 22, 1, nullptr, nullptr}) == 1);
    CHECK(kernel.units({DType::f32, Reduction::sum, 4096, 4096, 1, nullptr, nullptr}) > 1);
}

TEST_CASE("a long f32 sum keeps its precision") {
    const CpuKernel<Reduce>& kernel = cpu_table(Isa::portable).reduce;
    for (Index inner : {1, 2}) {
        const Index length = 2'000'000;
        const std::vector<float> x(static_cast<std::size_t>(length * inner), 0.1f);
        Guarded<float> y(inner);
        run_both_ways(kernel,
                      Reduce{DType::f32, Reduction::sum, 1, length, inner, x.data(), y.data()}, y);
        CHECK(y[0] == doctest::Approx(static_cast<double>(0.1f) * 2e6).epsilon(1e-6));
    }
}

TEST_CASE("reductions at infinities and NaN") {
    for_each_kernel(&CpuTable::reduce, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
        // Columns side by side, so that both the slab and the row code see each case.
        const std::vector<std::vector<T>> cases = {
            {-inf, -inf, -inf}, {inf, 1, -inf},       {inf, inf, 2}, {nan, 1, 2},
            {1, nan, 2},        {1, 2, nan},          {-inf, 0, 1},  {nan, nan, inf},
            {1e30f, -1e30f, 0}, {-1000, -1001, -1002}};
        const Index n = static_cast<Index>(cases.size());
        Guarded<T> rows(3 * n), columns(3 * n);
        for (Index i = 0; i < 3 * n; ++i) {
            rows[i] = columns[i % 3 * n + i / 3] = cases[static_cast<std::size_t>(i / 3)][i % 3];
        }
        for (Reduction op : {Reduction::max, Reduction::min, Reduction::logsumexp}) {
            CAPTURE(static_cast<int>(op));
            Guarded<T> by_row(n), by_column(n);
            const Reduce a = {dtype_of<T>(), op, n, 3, 1, rows.data(), by_row.data()};
            const Reduce b = {dtype_of<T>(), op, 1, 3, n, columns.data(), by_column.data()};
            run_reduce(kernel, a, by_row);
            run_reduce(kernel, b, by_column);
            oracle::Values want;
            for (const auto& c : cases) {
                const bool infinite_max =
                    std::none_of(c.begin(), c.end(), [](T v) { return std::isnan(v); }) &&
                    std::isinf(*std::max_element(c.begin(), c.end()));
                want.push_back(op == Reduction::logsumexp && infinite_max
                                   ? double{*std::max_element(c.begin(), c.end())}
                                   : oracle::fold(op, oracle::Values(c.begin(), c.end())));
            }
            check_close(by_row, want, bound_of<T>(1));
            check_close(by_column, want, bound_of<T>(1));
        }
    });
}

TEST_CASE("reductions refuse an empty middle") {
    const CpuKernel<Reduce>& kernel = cpu_table(Isa::portable).reduce;
    CHECK(kernel.check({DType::f32, Reduction::sum, 2, 0, 3, nullptr, nullptr}) ==
          Status::bad_argument);
    CHECK(kernel.check({DType::i64, Reduction::sum, 2, 1, 3, nullptr, nullptr}) ==
          Status::bad_argument);
}
