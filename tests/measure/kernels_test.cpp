#include "measure/kernels.h"

#include <doctest/doctest.h>

#include <set>

#include "base/error.h"
#include "core/executable.h"

namespace drydock::measure {
namespace {

TEST_CASE("every case of the bench records a program with its node") {
    std::set<std::string> names;
    for (const KernelCase& c : kernel_cases()) {
        CAPTURE(c.name);
        CAPTURE(c.sizes);
        CHECK(names.insert(c.name + c.sizes).second);
        const Device device = Device::cpu(1);
        State state(device);
        Executable executable(state);
        executable.add(record(state, [&](Graph& g) { c.record(state, g); }));
        int found = 0;
        for (const Node& node : executable.program().nodes) found += node.op == c.op;
        CHECK(found >= 1);
    }
}

TEST_CASE("kernels are measured by name, and a name that is none is an error") {
    KernelOptions options;
    options.filter = "linear forward 256 x 17";
    options.seconds = 0.001;
    const KernelReport report = measure_kernels(options);
    REQUIRE(report.kernels.size() == 1);
    CHECK(report.kernels[0].work.flop == 2.0 * 256 * 17 * 256);
    CHECK(report.kernels[0].seconds.median > 0);
    CHECK(report.kernels[0].product);
    CHECK(report.fma_peak > 0);
    options.filter = "no such kernel";
    CHECK_THROWS_AS(measure_kernels(options), Error);
}

}  // namespace
}  // namespace drydock::measure
