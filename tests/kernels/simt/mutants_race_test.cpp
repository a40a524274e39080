// Mutants that the race build has to report in whatever order the threads run, naming the file.
#include "tests/kernels/simt/harness.h"
#include "tests/kernels/simt/mutants/mutants.h"

namespace drydock::kernels::simt::mutants {
namespace {

template <class Run>
void check_race(const char* file, Run&& run) {
    for_each_order([&] {
        run();
        const auto reports = take_reports();
        REQUIRE(!reports.empty());
        CHECK(reports[0].finding == Finding::race);
        CHECK(contains(reports[0].text, std::string(file) + ":"));
    });
}

TEST_CASE("race build: no barrier after the load of a tile") {
    check_race("no_barrier_after_load.cu", [] {
        DeviceArray<float> a(1024), b(1024), c(1024);
        multiply_without_barrier_after_load(a.data(), b.data(), c.data());
    });
}

TEST_CASE("race build: no barrier at the end of the tile loop") {
    check_race("no_barrier_after_use.cu", [] {
        DeviceArray<float> a(1024), b(1024), c(1024);
        multiply_without_barrier_after_use(a.data(), b.data(), c.data());
    });
}

TEST_CASE("race build: no __syncwarp in a reduction through shared memory") {
    check_race("no_syncwarp.cu", [] {
        DeviceArray<float> in(32), out(1);
        sum_without_syncwarp(in.data(), out.data());
    });
}

TEST_CASE("race build: two blocks write one word") {
    check_race("two_blocks_one_word.cu", [] {
        DeviceArray<float> out(1);
        two_blocks_one_word(out.data());
    });
}

}  // namespace
}  // namespace drydock::kernels::simt::mutants
