// Mutants that every build has to find: by a report, or by numbers that are wrong in some order.
#include "tests/kernels/simt/mutants/mutants.h"
#include "tests/kernels/simt/harness.h"

namespace drydock::kernels::simt::mutants {
namespace {

using Multiply = bool (*)(const float*, const float*, float*);

// In how many of the orders the product is wrong.
int wrong_products(Multiply multiply) {
    constexpr std::size_t n = 2 * kTile;
    const auto a = random_values(n * n, 1), b = random_values(n * n, 2);
    std::vector<Expected> want(n * n);
    for (std::size_t i = 0; i < n * n; ++i) {
        for (std::size_t k = 0; k < n; ++k) {
            want[i].add(static_cast<double>(a[i / n * n + k]) * b[k * n + i % n]);
        }
    }
    int wrong = 0;
    for_each_order([&] {
        DeviceArray<float> da(a), db(b), c(n * n);
        REQUIRE(multiply(da.data(), db.data(), c.data()));
        wrong += first_difference(c.host(), want, n) != -1;
        take_reports();
    });
    return wrong;
}

TEST_CASE("numbers show a missing barrier after the load of a tile") {
    CHECK(wrong_products(multiply_without_barrier_after_load) > 0);
}

TEST_CASE("numbers show a missing barrier at the end of the tile loop") {
    CHECK(wrong_products(multiply_without_barrier_after_use) > 0);
}

TEST_CASE("numbers show a missing __syncwarp in a reduction through shared memory") {
    int wrong = 0;
    for_each_order([&] {
        const auto in = random_values(32, 3);
        Expected want;
        for (const float value : in) want.add(value);
        DeviceArray<float> device_in(in), out(1);
        REQUIRE(sum_without_syncwarp(device_in.data(), out.data()));
        wrong += !is_close(out.host()[0], want, 32);
        take_reports();
    });
    CHECK(wrong > 0);
}

TEST_CASE("a barrier in a branch is reported in every order, with both lines") {
    for_each_order([] {
        DeviceArray<float> out(64);
        barrier_in_branch(out.data());
        const auto reports = take_reports();
        REQUIRE(!reports.empty());
        CHECK(reports[0].finding == Finding::divergence);
        CHECK(contains(reports[0].text, "barrier_in_branch.cu:13"));
        CHECK(contains(reports[0].text, "barrier_in_branch.cu:16"));
    });
}

TEST_CASE("numbers show two blocks that write one word") {
    std::vector<float> results;
    for_each_order([&] {
        DeviceArray<float> out(1);
        REQUIRE(two_blocks_one_word(out.data()));
        results.push_back(out.host()[0]);
        take_reports();
    });
    CHECK(results[0] != results[1]);
}

}  // namespace
}  // namespace drydock::kernels::simt::mutants
