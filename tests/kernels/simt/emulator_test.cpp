// The emulator itself: what the warp operations return, what it reports, and that it can.
#include "tests/kernels/simt/emulator_kernels.h"

#include "kernels/simt/emulated.h"
#include "tests/kernels/simt/harness.h"

namespace drydock::kernels::simt {
namespace {

// The only report there is.
Report one_report() {
    const auto reports = take_reports();
    REQUIRE(reports.size() == 1);
    return reports[0];
}

TEST_CASE("shuffles read the lanes that CUDA documents") {
    for_each_order([] {
        DeviceArray<ShuffleResults> out(1);
        REQUIRE(run_shuffles(out.data()));
        const ShuffleResults r = out.host()[0];
        for (int i = 0; i < 32; ++i) {
            CHECK(r.index[i] == 100 + 3 * i % 32);
            CHECK(r.up[i] == 100 + (i < 3 ? i : i - 3));
            CHECK(r.down[i] == 100 + (i > 26 ? i : i + 5));
            CHECK(r.butterfly[i] == 100 + (i ^ 6));
            CHECK(r.halves[i] == 100 + (i % 16 == 15 ? i : i + 1));
            CHECK(r.wide[i] == 0.5 * (131 - i));
        }
    });
    check_no_reports();
}

TEST_CASE("halves of a warp may shuffle in different branches") {
    for_each_order([] {
        DeviceArray<int> out(32);
        REQUIRE(run_half_warps(out.data()));
        for (int i = 0; i < 32; ++i) CHECK(out.host()[i] == (i < 16 ? 120 : 376));
    });
    check_no_reports();
}

TEST_CASE("votes and ballots") {
    for_each_order([] {
        DeviceArray<Votes> out(1);
        REQUIRE(run_votes(out.data()));
        const Votes v = out.host()[0];
        CHECK(v.ballot == 0xaaaaaaaau);
        CHECK(v.any_odd == 1);
        CHECK(v.all_odd == 0);
        CHECK(v.any_large == 0);
        CHECK(v.all_small == 1);
    });
    check_no_reports();
}

TEST_CASE("a barrier separates writes and reads of dynamic and static shared memory") {
    for_each_order([] {
        for (const unsigned n : {1u, 31u, 64u, 257u, 1024u}) {
            const auto in = random_values(n, 1);
            DeviceArray<float> device_in(in), out(n);
            REQUIRE(run_reverse(device_in.data(), out.data(), n));
            CHECK(out.host() == std::vector<float>(in.rbegin(), in.rend()));
        }
        DeviceArray<float> flat(256);
        REQUIRE(run_transposed_indices(flat.data()));
        for (int i = 0; i < 256; ++i) CHECK(flat.host()[i] == static_cast<float>(1000 + i));
    });
    check_no_reports();
}

TEST_CASE("__syncwarp orders memory within a warp") {
    for_each_order([] {
        DeviceArray<int> out(32);
        REQUIRE(run_exchange_in_warp(out.data()));
        for (int i = 0; i < 32; ++i) CHECK(out.host()[i] == (i ^ 1));
    });
    check_no_reports();
}

TEST_CASE("threads and blocks run in the order that was asked for") {
    const auto order_of = [](Order order, std::uint64_t seed) {
        set_order(order, seed);
        DeviceArray<int> out(3 * 40), counter{0};
        REQUIRE(run_order(out.data(), counter.data(), 3, 40));
        set_order(Order::ascending);
        take_reports();  // the counter is a race, which the race build reports
        return out.host();
    };
    const auto ascending = order_of(Order::ascending, 0);
    const auto descending = order_of(Order::descending, 0);
    for (int i = 0; i < 120; ++i) {
        CHECK(ascending[i] == i);
        CHECK(descending[i] == 119 - i);
    }
    CHECK(order_of(Order::shuffled, 5) == order_of(Order::shuffled, 5));
    CHECK(order_of(Order::shuffled, 5) != order_of(Order::shuffled, 6));
    CHECK(order_of(Order::shuffled, 5) != ascending);
}

TEST_CASE("memory that was never written reads as NaN") {
    DeviceArray<float> fresh(3), out(1);
    CHECK(std::isnan(fresh.host()[2]));
    REQUIRE(run_read_of_unwritten(out.data()));
    CHECK(std::isnan(out.host()[0]));
}

TEST_CASE("launches that no GPU takes are refused and reported") {
    CHECK(run_empty(1, 1, 1024, 49152));
    check_no_reports();
    CHECK_FALSE(run_empty(1, 1, 1025, 0));
    CHECK(one_report().finding == Finding::launch);
    CHECK_FALSE(run_empty(0, 1, 32, 0));
    CHECK(one_report().finding == Finding::launch);
    CHECK_FALSE(run_empty(1, 65536, 32, 0));
    CHECK(one_report().finding == Finding::launch);
    CHECK_FALSE(run_empty(1, 1, 32, 49153));
    CHECK(contains(one_report().text, "49153"));
    run_too_much_shared();
    CHECK(contains(one_report().text, "got 49156"));
}

TEST_CASE("a shuffle called from two branches is a deadlock, with both lines") {
    for_each_order([] {
        DeviceArray<int> out(32);
        run_shuffle_in_two_branches(out.data());
        const Report report = one_report();
        CHECK(report.finding == Finding::deadlock);
        CHECK(contains(report.text, "thread (0,0,0) of block (0,0,0) and 15 more"));
        CHECK(contains(report.text, "thread (1,0,0) of block (0,0,0) and 15 more"));
        CHECK(contains(report.text, "lanes 0xffffffff at"));
        CHECK(contains(report.text, "emulator_kernels.cu:"));
    });
}

TEST_CASE("a return before a barrier is reported") {
    DeviceArray<int> out(32);
    run_early_return(out.data());
    const Report report = one_report();
    CHECK(report.finding == Finding::divergence);
    CHECK(contains(report.text, "and 11 more returned"));
    CHECK(contains(report.text, "and 19 more waits at the barrier"));
}

TEST_CASE("lanes outside of their own mask and lanes that take no part are reported") {
    DeviceArray<int> out(32);
    run_outside_own_mask(out.data());
    auto reports = take_reports();
    REQUIRE(reports.size() == 16);
    CHECK(contains(reports[0].text, "is not in its own mask"));
    run_read_of_absent_lane(out.data());
    reports = take_reports();
    REQUIRE(reports.size() == 16);
    CHECK(reports[0].finding == Finding::divergence);
    CHECK(contains(reports[0].text, "lane 0 reads lane 16, which takes no part"));
}

TEST_CASE("the emulator runs again after a deadlock") {
    DeviceArray<int> out(32);
    run_shuffle_in_two_branches(out.data());
    CHECK(take_reports().size() == 1);
    REQUIRE(run_half_warps(out.data()));
    CHECK(out.host()[0] == 120);
    check_no_reports();
}

}  // namespace
}  // namespace drydock::kernels::simt
