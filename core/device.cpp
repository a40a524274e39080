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
    using kernels::Isa;
    const Isa best = kernels::best_isa();
    if (name.empty()) return best;
    Isa wanted = Isa::avx512;  // for amx too
    if (name == "portable") wanted = Isa::portable;
    if (name == "avx2") wanted = Isa::avx2;
    if (name == "neon") wanted = Isa::neon;
    if (wanted == Isa::avx512 && name != "avx512" && name != "amx") {
        throw Error(
            fmt::format("[device] expected DRYDOCK_ISA to be portable, avx2, avx512, amx or neon, "
                        "got '{}'",
                        name),
            ErrorKind::usage);
    }
    if (!kernels::has_isa(wanted)) {
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
