// Rows by index, and their adjoint.
#include "tests/kernels/harness.h"

using namespace drydock;
using namespace drydock::kernels;
using namespace drydock::kernels::testing;

namespace {

// Indices with repetitions and, if asked for, some that name no row.
std::vector<Index> indices(Index n, Index rows, bool foreign) {
    std::vector<Index> all;
    for (Index i = 0; i < n; ++i) all.push_back(rows == 0 ? 0 : i * i * 7 % rows);
    if (foreign && n > 2) {
        all[0] = rows;
        all[1] = -1;
        all[2] = std::numeric_limits<Index>::min();
    }
    return all;
}

struct Sizes {
    Index rows, width, n;
};
constexpr Sizes kShapes[] = {{1, 1, 1},     {17, 3, 60},   {100, 33, 257}, {5, 128, 64},
                             {64, 1, 9000}, {31, 257, 15}, {0, 4, 8},      {9, 65, 0}};

template <class T>
void check_gather(const CpuKernel<GatherRows>& kernel) {
    for (const Sizes& s : kShapes) {
        INFO("rows ", s.rows, " width ", s.width, " n ", s.n);
        const Guarded<T> table(s.rows * (s.width + 2), 1, -100, 100);
        const std::vector<Index> at = indices(s.n, s.rows, s.width % 2 == 1);
        Guarded<T> out(s.n * s.width);
        const GatherRows args = {dtype_of<T>(), s.rows, s.width,   s.width + 2,
                                 table.data(),  s.n,    at.data(), out.data()};
        run_both_ways(kernel, args, out);
        check_close(out, oracle::gather_rows<T>(args), 0);
    }
}

}  // namespace

TEST_CASE("gathered rows are the table's, and missing ones show") {
    for_each_kernel(&CpuTable::gather_rows,
                    [](auto zero, const auto& kernel) { check_gather<decltype(zero)>(kernel); });
    check_gather<std::int64_t>(cpu_table(Isa::portable).gather_rows);
}

TEST_CASE("scattering adds up all rows of an index and zeroes the others") {
    for_each_kernel(&CpuTable::scatter_add_rows, [](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (const Sizes& s : kShapes) {
            INFO("rows ", s.rows, " width ", s.width, " n ", s.n);
            const Guarded<T> d(s.n * s.width, 1);
            const std::vector<Index> at = indices(s.n, s.rows, s.width % 2 == 1);
            Guarded<T> table(s.rows * s.width);
            const ScatterAddRows args = {dtype_of<T>(), s.rows,   s.width,     s.n,
                                         at.data(),     d.data(), table.data()};
            run_both_ways(kernel, args, table);
            check_close(table, oracle::scatter_add_rows<T>(args), bound_of<T>(s.n));
        }
    });
}

TEST_CASE("select takes the row of the step") {
    const Counters inside = {3, 0, 0}, behind = {5, 0, 0}, before = {-1, 0, 0};
    for_each_kernel(&CpuTable::select_row, [&](auto zero, const auto& kernel) {
        using T = decltype(zero);
        for (Index width : {1, 17, 20000}) {
            const Guarded<T> table(5 * width, 1);
            for (const Counters* counters : {&inside, &behind, &before}) {
                Guarded<T> out(width);
                run_both_ways(
                    kernel, SelectRow{dtype_of<T>(), 5, width, table.data(), counters, out.data()},
                    out);
                oracle::Values want(static_cast<std::size_t>(width), oracle::kNan);
                for (Index i = 0; counters == &inside && i < width; ++i)
                    want[i] = table[3 * width + i];
                check_close(out, want, 0);
            }
        }
    });
}

TEST_CASE("row kernels refuse impossible sizes") {
    const CpuTable& table = cpu_table(Isa::portable);
    GatherRows args = {DType::f32, 5, 4, 4, nullptr, 3, nullptr, nullptr};
    CHECK(table.gather_rows.check(args) == Status::ok);
    args.ld_table = 3;
    CHECK(table.gather_rows.check(args) == Status::bad_argument);
    CHECK(table.scatter_add_rows.check({DType::i64, 5, 4, 3, nullptr, nullptr, nullptr}) ==
          Status::bad_argument);
    CHECK(table.select_row.check({DType::f32, -1, 4, nullptr, nullptr, nullptr}) ==
          Status::bad_argument);
}
