#include "kernels/cpu/bf16/features.h"

#if defined(DRYDOCK_HAS_X86_SIMD)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace drydock::kernels {
namespace {

#if defined(DRYDOCK_HAS_X86_SIMD) && defined(__linux__)
constexpr unsigned kBf16Bit = 1U << 22, kTileBit = 1U << 24;  // of CPUID 7, 0: EDX
constexpr long kRequestPermission = 0x1023, kTileData = 18;   // of arch_prctl

bool processor_has_tiles() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    return (d & kBf16Bit) != 0 && (d & kTileBit) != 0;
}

// A system that grants it also saves the tiles: Linux from 5.16 on.
bool permission_granted() { return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0; }
#endif

}  // namespace

bool has_avx512_bf16() {
#if defined(DRYDOCK_HAS_X86_SIMD)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return false;
#endif
}

bool has_amx_bf16() {
#if defined(DRYDOCK_HAS_X86_SIMD) && defined(__linux__)
    return processor_has_tiles() && permission_granted();
#else
    return false;
#endif
}

}  // namespace drydock::kernels
