// The floating-point mode of the forward pass: round to nearest, no traps, subnormal numbers taken
// as zero. Without the last, activations that fade out make a layer tens of times slower; without
// the others, a host program's mode would change the actions.
#pragma once

#include <cstdint>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace drydock::policy {

// Sets the mode for its lifetime and restores the caller's, flags included. Processors other than
// x86 with SSE and AArch64 keep the mode that they are in.
class FloatMode {
  public:
#if defined(__SSE__)
    FloatMode() : saved_(_mm_getcsr()) { _mm_setcsr(0x9fc0u); }
    ~FloatMode() { _mm_setcsr(saved_); }
#elif defined(__aarch64__)
    FloatMode() {
        const std::uint64_t flush_to_zero = std::uint64_t{1} << 24;
        asm volatile("mrs %0, fpcr" : "=r"(saved_));
        asm volatile("mrs %0, fpsr" : "=r"(flags_));
        asm volatile("msr fpcr, %0" : : "r"(flush_to_zero) : "memory");
    }
    ~FloatMode() {
        asm volatile("msr fpcr, %0" : : "r"(saved_) : "memory");
        asm volatile("msr fpsr, %0" : : "r"(flags_) : "memory");
    }
#else
    FloatMode() = default;
#endif
    FloatMode(const FloatMode&) = delete;
    FloatMode& operator=(const FloatMode&) = delete;

  private:
#if defined(__SSE__)
    std::uint32_t saved_;
#elif defined(__aarch64__)
    std::uint64_t saved_, flags_;
#endif
};

}  // namespace drydock::policy
