#include "core/device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <thread>

#include "base/error.h"

namespace drydock {
namespace {

constexpr int kMostThreads = 1024;

kernels::Isa isa_of(const std::string& name) {
    constexpr auto kNames = std::span(kernels::kIsaNames);
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found != kNames.end()) return static_cast<kernels::Isa>(found - kNames.begin());
    throw Error(fmt::format("[device] expected DRYDOCK_ISA to be one of {}, got '{}'",
                            fmt::join(kNames, ", "), name),
                ErrorKind::usage);
}

kernels::Isa choose_isa(std::string name, kernels::Precision precision) {
    if (name.empty()) {
        const char* forced = std::getenv("DRYDOCK_ISA");
        if (forced) name = forced;
    }
    using kernels::Isa;
    const auto narrowed = [&](Isa isa) {
        const bool full = precision == kernels::Precision::full;
        return full && (isa == Isa::avx512_bf16 || isa == Isa::amx) ? Isa::avx512 : isa;
    };
    const Isa best = narrowed(kernels::best_isa());
    if (name.empty()) return best;
    const Isa wanted = narrowed(isa_of(name));
    if (!kernels::has_isa(wanted)) {
        throw Error(fmt::format("[device] DRYDOCK_ISA={} was asked for, but this processor has {} "
                                "at most; unset it, or ask for that",
                                name, name_of(best)),
                    ErrorKind::usage);
    }
    return wanted;
}

}  // namespace

Device Device::cpu(int threads, const std::string& isa, kernels::Precision precision) {
    if (threads < 0 || threads > kMostThreads) {
        throw Error(fmt::format("[device] expected threads from 0 (all cores) to {}, got {}",
                                kMostThreads, threads),
                    ErrorKind::usage);
    }
    if (threads == 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    return Device(choose_isa(isa, precision), threads);
}

Device::Device(kernels::Isa isa, int threads)
    : isa_(isa), pool_(std::make_unique<ThreadPool>(threads)) {}

}  // namespace drydock
