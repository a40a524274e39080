// Any file as a trace. Sizes are capped, so that a replay is short: what grows with the file is not
// what this looks for.
#include "training/trace.h"

#include <cstdlib>

#include "base/error.h"
#include "tests/fuzz/fuzz.h"

namespace drydock::fuzz {
namespace {

constexpr long long kMostSteps = 8;
constexpr std::int64_t kLargestDim = 64;

bool small(const TensorFile& file) {
    if (std::atoll(file.text("steps").c_str()) > kMostSteps) return false;
    for (const auto& [name, tensor] : file.tensors) {
        for (const std::int64_t dim : tensor.shape) {
            if (dim > kLargestDim) return false;
        }
    }
    return true;
}

}  // namespace

void run(Bytes input) {
    try {
        const TensorFile file = parse_tensor_file(bytes_of(input), "input");
        if (!small(file)) return;
        training::TraceOptions options;
        options.isa = "portable";
        const training::TraceReport report = training::verify_trace(file, options);
        expect(!report.replays.empty(), "a trace is replayed");
        bool passed = true;
        for (const training::TraceReplay& replay : report.replays) passed = passed && replay.passed;
        expect(passed == report.passed, "a report passes when its replays do");
    } catch (const Error&) {
    }
}

}  // namespace drydock::fuzz
