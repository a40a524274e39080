#include "core/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "base/error.h"

namespace drydock {
namespace {

constexpr int kMostThreads = 1024;

kernels::Isa choose_isa(std::string name) {
    if (name.empty()) {
        const char* forced = std::getenv("DRYDOCK_ISA");
        if (forced) name = forced;
    }
    const kernels::Isa best = kernels::best_isa();
    if (name.empty()) return best;
    if (name == "portable") return kernels::Isa::portable;
    if (name != "avx2" && name != "avx512" && name != "amx") {
        throw Error(
            fmt::format("[device] expected DRYDOCK_ISA to be portable, avx2, avx512 or amx, "
                        "got '{}'",
                        name),
            ErrorKind::usage);
    }
    const kernels::Isa wanted = name == "avx2" ? kernels::Isa::avx2 : kernels::Isa::avx512;
    if (best < wanted) {
        throw Error(fmt::format("[device] DRYDOCK_ISA={} was asked for, but this processor has {} "
                                "at most; unset it, or ask for that",
                                name, name_of(best)),
                    ErrorKind::usage);
    }
    return wanted;
}

}  // namespace

Device Device::cpu(int threads, const std::string& isa) {
    if (threads < 0 || threads > kMostThreads) {
        throw Error(fmt::format("[device] expected threads from 0 (all cores) to {}, got {}",
                                kMostThreads, threads),
                    ErrorKind::usage);
    }
    if (threads == 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    return Device(choose_isa(isa), threads);
}

Device::Device(kernels::Isa isa, int threads)
    : isa_(isa), pool_(std::make_unique<ThreadPool>(threads)) {}

}  // namespace drydock
