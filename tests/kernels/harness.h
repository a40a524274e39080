// What the kernel tests share: arrays with sentinels, a run in two orders of units, the instruction
// sets of this machine and comparisons with an oracle.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "kernels/cpu/table.h"
#include "tests/kernels/oracle.h"

namespace drydock::kernels::testing {

using Index = std::int64_t;

// The edges of vectors, tiles and blocks.
constexpr Index kSizes[] = {1, 2, 15, 16, 17, 31, 33, 60, 64, 127, 256, 257};

template <class T>
constexpr DType dtype_of() {
    if (std::is_same_v<T, float>) return DType::f32;
    return std::is_same_v<T, double> ? DType::f64 : DType::i64;
}

// An array between two rows of sentinels, which nobody may write. It starts as sentinels itself, so
// that an element that was not written is found too.
template <class T>
class Guarded {
  public:
    static constexpr Index kGuard = 24;
    static constexpr T kSentinel = static_cast<T>(-77777);

    explicit Guarded(Index n) : all_(static_cast<std::size_t>(n + 2 * kGuard), kSentinel) {}
    // Values drawn evenly from [low, high).
    Guarded(Index n, unsigned seed, double low = -1, double high = 1) : Guarded(n) {
        std::mt19937 bits(seed);
        std::uniform_real_distribution<double> draw(low, high);
        for (Index i = 0; i < n; ++i) data()[i] = static_cast<T>(draw(bits));
    }

    T* data() { return all_.data() + kGuard; }
    const T* data() const { return all_.data() + kGuard; }
    T& operator[](Index i) { return data()[i]; }
    T operator[](Index i) const { return data()[i]; }
    Index size() const { return static_cast<Index>(all_.size()) - 2 * kGuard; }
    std::vector<T>& all() { return all_; }

    bool intact() const {
        for (Index i = 0; i < kGuard; ++i) {
            if (data()[-1 - i] != kSentinel || data()[size() + i] != kSentinel) return false;
        }
        return true;
    }

  private:
    std::vector<T> all_;
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
bool same_bits(Guarded<T>& a, Guarded<T>& b) {
    return same_bits(a.all(), b.all());
}

// Runs a kernel over all units at once and then, from the same start, unit by unit from the last to
// the first. The bits of every array in `written` must agree and its sentinels stand.
template <class Args, class... T>
void run_both_ways(const CpuKernel<Args>& kernel, const Args& args, Guarded<T>&... written) {
    REQUIRE(kernel.check(args) == Status::ok);
    const Index units = kernel.units(args);
    const std::tuple before(written.all()...);
    kernel.run(args, 0, units);
    const std::tuple after(written.all()...);
    std::tie(written.all()...) = before;
    for (Index u = units; u-- > 0;) kernel.run(args, u, u + 1);
    const bool same = std::apply(
        [&](const auto&... whole) { return (same_bits(whole, written.all()) && ...); }, after);
    CHECK_MESSAGE(same, "bits depend on the range of units");
    CHECK_MESSAGE((written.intact() && ...), "written outside the array");
}

// As run_both_ways with the kernel or, where it does not cover the arguments, with the portable
// one, as the engine does. Returns whether the kernel took them.
template <class Args, class... T>
bool run_covered(const CpuKernel<Args>& kernel, CpuKernel<Args> CpuTable::*field, const Args& args,
                 Guarded<T>&... written) {
    const bool taken = kernel.check(args) != Status::unsupported;
    run_both_ways(taken ? kernel : cpu_table(Isa::portable).*field, args, written...);
    return taken;
}

// |got - want| <= bound max(1, |want|), and the same NaN or infinity.
template <class T>
bool close(T got, double want, double bound) {
    const double rounded = static_cast<double>(static_cast<T>(want));
    if (std::isnan(rounded)) return std::isnan(got);
    if (std::isinf(rounded)) return static_cast<double>(got) == rounded;
    return std::fabs(static_cast<double>(got) - want) <= bound * std::fmax(1.0, std::fabs(want));
}

// A bound for a sum of `terms` products of numbers of size 1.
template <class T>
double bound_of(Index terms) {
    return std::numeric_limits<T>::epsilon() * static_cast<double>(4 + terms);
}

// `got` holds rows of `width` elements, `ld` apart; what lies between rows must be untouched.
template <class T>
void check_close(const Guarded<T>& got, const oracle::Values& want, double bound, Index width = 0,
                 Index ld = 0) {
    if (width == 0) width = ld = static_cast<Index>(want.size());
    Index wrong = 0, first = -1;
    for (Index i = 0; i < got.size(); ++i) {
        const Index row = ld == 0 ? 0 : i / ld, column = ld == 0 ? i : i % ld;
        const Index k = row * width + column;
        const bool ok = column < width && k < static_cast<Index>(want.size())
                            ? close(got[i], want[static_cast<std::size_t>(k)], bound)
                            : got[i] == Guarded<T>::kSentinel;
        if (!ok && wrong++ == 0) first = i;
    }
    INFO("first wrong element: ", first, " got ", first < 0 ? T(0) : got[first]);
    CHECK(wrong == 0);
}

#if defined(__aarch64__)
constexpr Isa kIsas[] = {Isa::portable, Isa::neon};
#else
constexpr Isa kIsas[] = {Isa::portable, Isa::avx2, Isa::avx512};
#endif

// Calls body(table) for every instruction set that this machine has.
template <class F>
void for_each_isa(F body) {
    for (Isa isa : kIsas) {
        if (!has_isa(isa)) {
            MESSAGE("skipped: this processor has no ", std::string(name_of(isa)));
            continue;
        }
        INFO("isa ", name_of(isa));
        body(cpu_table(isa));
    }
}

// Calls body(T{}, kernel) for every element type and every kernel of one contract: the portable one
// in f32 and f64, those with a file for an instruction set in f32.
template <class Args, class F>
void for_each_kernel(CpuKernel<Args> CpuTable::*kernel, F body) {
    const CpuKernel<Args>& portable = cpu_table(Isa::portable).*kernel;
    body(double{}, portable);
    for_each_isa([&](const CpuTable& table) {
        const bool own = (table.*kernel).run != portable.run;
        if (own || &(table.*kernel) == &portable) body(float{}, table.*kernel);
    });
}

}  // namespace drydock::kernels::testing
